// What browsers and log drains post: the first byte chooses the endpoint, the rest is the body.

#include "fuzz/converter_checks.h"
#include "relay/ingest/network_errors.h"
#include "relay/ingest/security_reports.h"
#include "relay/ingest/vercel_logs.h"

namespace picket::ingest {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  if (text.empty()) return 0;
  constexpr Converter converters[] = {convert_security, convert_network_errors, convert_vercel_logs};
  const auto choice = static_cast<unsigned char>(text.front()) % 3;
  text.remove_prefix(1);
  FuzzedRequest request;
  request.head.headers.add("Content-Type", "application/json");
  request.head.query = text.substr(0, text.find('\n'));
  request.convert(converters[choice], text);
  return 0;
}

}  // namespace picket::ingest

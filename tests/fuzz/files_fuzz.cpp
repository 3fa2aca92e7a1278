// The endpoints that carry files: forms, forms within forms, dumps that are packed, Unreal's archives. The
// first byte chooses the endpoint, the first line the Content-Type (of unreal: the query), the rest is the body.

#include "fuzz/converter_checks.h"
#include "relay/ingest/file_uploads.h"

#include <zlib.h>

#include <algorithm>
#include <string>

namespace picket::ingest {
namespace {

std::string deflated(std::string_view text) {
  auto bytes = compressBound(static_cast<uLong>(text.size()));
  std::string out(bytes, '\0');
  const auto* in = reinterpret_cast<const Bytef*>(text.data());
  compress2(reinterpret_cast<Bytef*>(out.data()), &bytes, in, static_cast<uLong>(text.size()), 1);
  out.resize(bytes);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  if (text.empty()) return 0;
  const char choice = text.front();
  text.remove_prefix(1);
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));

  FuzzedRequest request;
  request.config.max_event_bytes = 20'000;
  request.config.max_attachment_bytes = 200'000;
  if (choice == 'u') {
    request.head.query = line;
    request.convert(convert_unreal, text);
  } else if (choice == 'U') {  // the archive before the engine deflated it
    request.head.query = line;
    request.convert(convert_unreal, deflated(text));
  } else {
    request.head.headers.add("Content-Type", std::string(line));
    request.route.name = "9ec79c33ec9942ab8353589fcb2e04dc";
    request.convert(choice == 'a' ? convert_attachments : convert_minidump, text);
  }
  return 0;
}

}  // namespace picket::ingest

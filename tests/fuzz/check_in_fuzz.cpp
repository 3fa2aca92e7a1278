// Check-ins and the error page's reports: the first line is the query, the second the slug, the
// rest the body.

#include "fuzz/converter_checks.h"
#include "relay/ingest/check_in.h"
#include "relay/ingest/error_page.h"

#include <algorithm>

namespace picket::ingest {
namespace {

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  FuzzedRequest request;
  request.head.query = take_line(text);
  request.route.name = take_line(text);
  request.convert(convert_check_in, {});
  request.head.headers.add("Content-Type", "application/json");
  request.convert(convert_check_in, text);
  request.convert(convert_error_page, text);
  return 0;
}

}  // namespace picket::ingest

// Forms: every part lies inside the input, and parts do not overlap.

#include "fuzz/invariant.h"
#include "relay/protocol/multipart.h"

namespace picket::relay {

using fuzz::check;

namespace {

// The first line is the Content-Type header.
void run(std::string_view input) {
  const auto end = std::min(input.find('\n'), input.size());
  const auto boundary = find_boundary(input.substr(0, end));
  const auto body = input.substr(std::min(end + 1, input.size()));
  const auto guessed = std::string(guess_boundary(body));
  for (const auto& each : {boundary ? *boundary : std::string("b"), guessed.empty() ? std::string("b") : guessed}) {
    const MultipartLimits limits{.max_parts = 20, .max_header_bytes = 200};
    const auto parts = parse_multipart(body, each, limits);
    if (!parts) continue;
    check(parts->size() <= limits.max_parts, "no more parts than the limit");
    const char* last = body.data();
    for (const auto& part : *parts) {
      check(fuzz::lies_inside(part.body, body), "a part lies inside the input");
      if (part.body.empty()) continue;
      check(part.body.data() >= last, "parts do not overlap");
      last = part.body.data() + part.body.size();
      check(part.body.find("\r\n--" + each + "\r\n") == std::string_view::npos, "no part holds a boundary");
    }
  }
}

}  // namespace
}  // namespace picket::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  picket::relay::run(picket::fuzz::as_text(bytes, size));
  return 0;
}

// OTLP: the first byte chooses between traces and logs, protobuf and JSON; the rest is the body.
// Also the stack traces within, which anybody may write.

#include "fuzz/converter_checks.h"
#include "relay/ingest/otlp_endpoint.h"
#include "relay/ingest/stack_text.h"

namespace picket::ingest {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto text = fuzz::as_text(bytes, size);
  if (text.empty()) return 0;
  const auto choice = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  FuzzedRequest request;
  request.head.headers.add("Content-Type",
                           (choice & 2) != 0 ? "application/x-protobuf" : "application/json");
  request.convert((choice & 1) != 0 ? convert_otlp_logs : convert_otlp_traces, text);

  const auto frames = parse_stack_text(text);
  fuzz::check(frames.size() <= 250, "frames are limited");
  for (const auto& frame : frames) {
    fuzz::check(fuzz::lies_inside(frame.function, text), "a function lies inside the text");
    fuzz::check(fuzz::lies_inside(frame.path, text), "a path lies inside the text");
  }
  check_object("{\"frames\":" + render_frames(frames) + "}");
  return 0;
}

}  // namespace picket::ingest

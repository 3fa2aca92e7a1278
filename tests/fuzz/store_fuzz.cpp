// Bodies of the old store endpoint: JSON, base64, base64 of zlib, and JSON that is not quite. What is made of
// one is an envelope with an object. Also what is mended of JSON and of UTF-8.

#include "fuzz/converter_checks.h"
#include "relay/ingest/store_body.h"
#include "relay/protocol/json_repair.h"

#include <string>

namespace picket::ingest {

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::as_text(bytes, size);
  FuzzedRequest request;
  request.config.max_event_bytes = 100'000;
  request.head.method = "POST";
  request.convert(convert_store, text);
  request.head.method = "GET";
  request.head.query = "sentry_data=" + std::string(text);
  request.convert(convert_store, {});

  const auto repaired = relay::repair_json(text);
  check(repaired.size() <= 6 * text.size(), "mending makes nothing endless");
  // Of several byte order marks each time one goes.
  if (!text.starts_with("\xef\xbb\xbf")) check(relay::repair_json(repaired) == repaired, "what was mended stays");
  const auto clean = relay::repair_utf8(text);
  check(clean.size() <= 3 * text.size(), "a byte becomes one character at most");
  check(relay::repair_utf8(clean) == clean, "text that is UTF-8 stays");
  return 0;
}

}  // namespace picket::ingest

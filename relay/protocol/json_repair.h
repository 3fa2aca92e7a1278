// What SDKs and their serialisers send for JSON and what is JSON differ in a few known ways. This
// mends those, so that an event is not lost for them; it is tried only on text that a strict parser
// has refused.
#pragma once

#include <string>
#include <string_view>

namespace picket::relay {

// Replaces, and leaves everything else as it is:
//   outside strings  NaN, Infinity, -Infinity and numbers beyond a double by null; integers beyond
//                    64 bits by the nearest double; a byte order mark by nothing
//   within strings   bytes that are not UTF-8 and escaped surrogates without their other half by
//                    U+FFFD, control characters by \u00xx, unknown escapes by the backslash itself
// The output is at most six times as long as the input, and JSON only if nothing else was wrong.
std::string repair_json(std::string_view text);

// Valid UTF-8: bytes that are not become U+FFFD.
std::string repair_utf8(std::string_view text);

}  // namespace picket::relay

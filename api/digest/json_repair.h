// Repairs the JSON that SDKs and their serialisers get wrong, so that a strict parser reads it.
#pragma once

#include <string>
#include <string_view>

namespace picket::digest {

// Replaces, and leaves everything else as it is:
//   outside strings  NaN, Infinity, -Infinity and numbers beyond a double by null; integers beyond
//   64
//                    bits by the nearest double; a byte order mark by nothing
//   within strings   bytes that are not UTF-8 by U+FFFD, control characters by \u00xx, lone
//   surrogate
//                    escapes by \ufffd, unknown escapes by the backslash itself
// The output is at most six times as long as the input.
std::string repair_json(std::string_view json);

// Valid UTF-8: bytes that are not become U+FFFD.
std::string repair_utf8(std::string_view text);

}  // namespace picket::digest

// What old SDKs send for JSON and what is JSON differ in a few known ways. This mends those, so
// that an event is not lost for them; it is tried only on text that a strict parser has refused.
#pragma once

#include <string>
#include <string_view>

namespace picket::ingest {

// Outside strings: NaN, Infinity and -Infinity become null. Inside: bytes that are not UTF-8 and
// escaped surrogates without their other half become U+FFFD, raw control characters are escaped.
// Everything else is kept; the result is JSON only if nothing else was wrong.
std::string repair_json(std::string_view text);

}  // namespace picket::ingest

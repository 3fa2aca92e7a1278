// MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as JSON text: how native SDKs
// hand over an event and its breadcrumbs beside a minidump. Read here and nowhere else, for which
// these two functions are less than a library.
//
// Limits: nesting to 64, and the JSON's size. Lengths are believed only as far as there are bytes.
//
// THREADS  Every function from any thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

// The first value as JSON; `bytes` is left behind it. Binary and extension values become null, bytes
// that are not UTF-8 U+FFFD, numbers that JSON cannot say null.
// Fault::malformed for what is cut short or unknown, Fault::too_large past `max_json_bytes`.
Result<std::string> read_msgpack(std::string_view& bytes, std::size_t max_json_bytes);

// A stream of values, one after another; of a stream that is cut short those before the cut.
std::vector<std::string> read_msgpack_stream(std::string_view bytes, std::size_t max_json_bytes);

}  // namespace picket::relay

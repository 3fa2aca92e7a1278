// Content codings of requests and of stored bodies: gzip, deflate (zlib), br, zstd, also chained.
//
// Limits are checked while inflating: no call allocates more than `max_bytes` (plus a constant) for
// its output, whatever the input claims.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

// Stored in journal records: never renumber.
enum class Coding : std::uint8_t { identity = 0, gzip = 1, deflate = 2, br = 3, zstd = 4 };

// The codings of a Content-Encoding header in the order they were applied; empty header, `identity`
// and `utf-8` give none. Fault::malformed for an unknown word (415).
Result<std::vector<Coding>> parse_content_encoding(std::string_view header);

// Fault::too_large past max_bytes (413), Fault::malformed for damaged or truncated input (400).
Result<std::string> decode(std::string_view bytes, Coding coding, std::size_t max_bytes);
Result<std::string> decode(std::string_view bytes,
                           const std::vector<Coding>& codings,
                           std::size_t max_bytes);

std::string encode_zstd(std::string_view bytes, int level);
// Frees what the calling thread keeps for the next one, some 0.5 MB at level 1: before a long rest.
void free_zstd_encoder();
std::string encode_gzip(std::string_view bytes, int level);

}  // namespace picket::relay

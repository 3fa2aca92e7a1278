// Content codings for bodies of any size: what is too large for memory goes to the spool piece by
// piece. The same codings, words and limits as content_encoding.h.
//
// Also the formats in which single files come compressed: gzip (RFC 1952), xz
// (https://tukaani.org/xz/xz-file-format.txt), bzip2 and zstd (RFC 8878), told by their first bytes.
//
// THREADS  Every function from any thread. Not for an I/O thread when a body is large: that takes as
//          long as a disk and a core need for it.
#pragma once

#include "buffer/bytes.h"
#include "buffer/result.h"
#include "buffer/spool.h"
#include "relay/protocol/content_encoding.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace picket::relay {

using buffer::Bytes;
using Room = buffer::ByteRoom;

// Fault::too_large past max_bytes, Fault::malformed for damaged or truncated input,
// Fault::unavailable when there is no room. Without a spool in `room` it is decode().
Result<Bytes> decode_bytes(std::string_view bytes, Coding coding, std::size_t max_bytes, const Room& room);
Result<Bytes> decode_bytes(std::string_view bytes,
                           const std::vector<Coding>& codings,  // not empty
                           std::size_t max_bytes,
                           const Room& room);

// All pieces, one after another, in one coding: identity, gzip or zstd. Levels above 6 are taken for
// 6: higher ones need tens of megabytes for the search alone.
Result<Bytes> encode_bytes(std::span<const std::string_view> pieces,
                           Coding coding,
                           int level,
                           const Room& room);

// Is the file compressed by one of the formats above?
bool is_packed_file(std::string_view file);
// Its contents. Needs up to 68 MiB of memory for xz and zstd at their highest settings, a few MB for
// what is usual. REQUIRES: is_packed_file(file).
Result<Bytes> unpack_file(std::string_view file, std::size_t max_bytes, const Room& room);

}  // namespace picket::relay

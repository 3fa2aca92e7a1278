// A sealed segment written anew, smaller: bodies without the coding in which their senders compressed them, and all
// of it deflated together, with a dictionary trained on the segment's own records (bundle.h).
//
//   sample ──► train ──► inflate bodies, group, deflate, write ──► sync ──► read anew and compare
//
// What every reader is given stays the same, but for the coding of a body, which is then none: sequence numbers,
// times, meta data and the content of bodies. Records in many parts, and bodies that `open_body` does not open, stay
// as they are. Takes some 16 MB of memory while it trains, less later.
#pragma once

#include "buffer/block.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/segment.h"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace picket::buffer {

struct RecompressWork {
  OpenBody open_body;
  std::function<bool()> go_on;                // asked many times a second, may take its time; false: stop
  std::function<bool(std::uint64_t)> room;    // as SegmentWriting::room
  Time now{};
};

struct Smaller {
  std::uint64_t records = 0;
  std::uint64_t bytes_before = 0;  // that the segment uses
  std::uint64_t file_bytes = 0;    // of the new file
};

// What a copy of a segment that uses so much may come to: else it is not worth it.
std::uint64_t most_recompressed_bytes(std::uint64_t used_bytes);

// Writes the blocks before `limit` to the new file `to`, syncs it and compares all of it with what is in the segment.
// What is left of a file for which that fails is the caller's to discard. Fault::corrupt: the segment is damaged or cannot be read, or the copy differs;
// Fault::too_large: it would hardly be smaller; Fault::unavailable: no room, or told to stop.
Result<Smaller> recompress_segment(Segment& segment, BlockKey limit, const std::filesystem::path& to, const RecompressWork& work);

}  // namespace picket::buffer

// What can still be read of a segment file whose trees are broken: looks for blocks, bundles and dictionaries byte
// by byte, without LMDB, and believes those whose checksums hold.
//
// INVARIANT  A record is given out once, and only when its checksum holds for its sequence. Of one that
//            is there twice with different bytes, none: what was acknowledged cannot be told.
// INVARIANT  Bytes within a whole block are never taken for blocks: they come from senders.
#pragma once

#include "buffer/journal.h"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace picket::buffer {

struct ScanRange {
  Sequence first = 0;               // the segment's name
  Sequence end = ~Sequence{0};      // the next segment's name
};

struct ScanCounts {
  std::uint64_t records = 0;
  std::uint64_t broken = 0;      // that were found with a wrong checksum, or not all of their parts
  std::uint64_t ambiguous = 0;   // there twice, and not the same
  Sequence first = 0;            // of what was found; 0: nothing
  Sequence last = 0;
};

// In ascending order; parts that the disk does not give are passed over. `visit` returns false to end
// the scan. Takes about 40 bytes of memory a record, and the largest record.
Result<ScanCounts> scan_segment(const std::filesystem::path& file,
                                const ScanRange& range,
                                const std::function<bool(const StoredRecord&)>& visit);

}  // namespace picket::buffer

// A sealed segment written anew, smaller: the bodies of some records left out. What stays of such a record
// is its head and meta data, so that everybody still counts it (StoredRecord::dropped()).
//
// A block that is damaged, in part or whole, is copied as it is: its damage must not be made good. Records in
// many parts are copied as well. A segment that holds bundles holds such again, with the same dictionary; one of
// which a bundle is damaged is not rewritten (Fault::corrupt).
#pragma once

#include "buffer/block.h"
#include "buffer/result.h"
#include "buffer/segment.h"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace picket::buffer {

// May the body of this record go?
using PickRecord = std::function<bool(const StoredRecord&)>;

struct Rewritten {
  std::uint64_t dropped = 0;     // records
  std::uint64_t file_bytes = 0;  // of the new file
};

// With a body of its own.
Record copy_of(const StoredRecord& stored);

// Writes the blocks before `limit` to the new file `to`, and syncs it. `room`: as SegmentWriting::room.
Result<Rewritten> rewrite_without(Segment& segment, BlockKey limit, const std::filesystem::path& to, const PickRecord& goes,
                                  const std::function<bool(std::uint64_t)>& room = {});

}  // namespace picket::buffer

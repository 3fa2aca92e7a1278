// Writes the file of a segment anew, in bundles or in plain blocks, beside the one that it is to replace.
//
// INVARIANT  The last commit puts nothing in but the second copy of the dictionary and the summary: a file that
//            must go back to the state before it (file_check.h) loses no record.
// THREADS    Belongs to one thread.
#pragma once

#include "buffer/bundle.h"
#include "buffer/dictionary.h"
#include "buffer/env.h"
#include "buffer/journal.h"
#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

struct SegmentWriting {
  std::filesystem::path to;          // must not exist
  std::uint64_t most_bytes = 0;      // that the file may become; more is Fault::too_large
  bool bundles = false;              // else plain blocks
  std::string dictionary;            // for bundles; may be empty
  // Asked before so many bytes more are written: is there room? False: Fault::unavailable.
  std::function<bool(std::uint64_t)> room;
};

class SegmentWriter {
 public:
  static Result<SegmentWriter> open(SegmentWriting options);
  ~SegmentWriter();  // removes the file of one that was not finished
  SegmentWriter(SegmentWriter&&) noexcept;
  SegmentWriter& operator=(SegmentWriter&&) = delete;

  // A block as it is. REQUIRES, as of add(): behind all that came before.
  Result<void> add_block(BlockKey key, std::string_view bytes);
  // For bundles.
  Result<void> add(Record record, Sequence sequence);
  // That were put into the file so far.
  std::uint64_t written_bytes() const;
  // The size of the file, which is synced then. The summary is written for bundles.
  Result<std::uint64_t> finish(const SegmentSummary& summary);

 private:
  struct Parts;
  explicit SegmentWriter(std::unique_ptr<Parts> parts);
  Result<void> flush_group();
  Result<void> flush_bundle();
  Result<void> put(BlockKey key, std::string_view bytes);
  Result<WriteTxn*> transaction();
  Result<void> commit();

  std::unique_ptr<Parts> parts_;
};

}  // namespace picket::buffer

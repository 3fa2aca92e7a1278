// Gathers a ReadBatch out of blocks given in ascending order. Pure but for the copying.
//
// INVARIANT  next() never goes back; every sequence between `from` and next() is in records, in
//            damaged, or was never in the journal (a hole that a lost segment left).
#pragma once

#include "buffer/block.h"
#include "buffer/journal.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace picket::buffer {

class BatchBuilder {
 public:
  struct Limits {
    Sequence end = 0;  // nothing from here on is given out
    std::size_t max_bytes = 0;
    std::size_t max_records = 0;
  };
  BatchBuilder(Sequence from, const Limits& limits) : limits_(limits) { batch_.next = from; }

  Sequence next() const { return batch_.next; }
  bool done() const { return done_ || batch_.next >= limits_.end; }
  bool empty() const { return batch_.records.empty() && batch_.damaged.empty(); }

  // Takes what it can use of a block; false when it wants no more of this segment.
  bool take(BlockKey key, std::string_view bytes);
  // A record that take() met in parts and that must be fetched: answer with add_split().
  struct Split {
    Sequence sequence = 0;
    std::uint32_t parts = 0;
  };
  const std::optional<Split>& split() const { return split_; }
  // All bytes of the split record, or the reason why they are not to be had.
  void add_split(Result<Bytes> bytes);
  // Goes on at `to`; what is missing up to there is a hole, or lay in a damaged block.
  void skip_to(Sequence to);

  ReadBatch finish() && { return std::move(batch_); }

 private:
  void take_records(const Block& block, Sequence first);
  void flush_damaged(Sequence end);

  const Limits limits_;
  ReadBatch batch_;
  std::size_t bytes_ = 0;
  bool done_ = false;
  std::optional<Sequence> damaged_from_;  // a block whose end is known only when the next one comes
  std::optional<Split> split_;
};

}  // namespace picket::buffer

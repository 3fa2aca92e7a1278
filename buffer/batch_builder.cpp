#include "buffer/batch_builder.h"

#include <algorithm>

namespace picket::buffer {

bool BatchBuilder::take(BlockKey key, std::string_view bytes) {
  if (key.first >= limits_.end) return false;
  // The later parts of a record are fetched with its first one.
  if (key.part > 0) return true;
  if (key.first > batch_.next) skip_to(key.first);
  if (done()) return false;
  const auto block = Block::parse(bytes);
  if (!block || block->head().key != key) {
    damaged_from_ = batch_.next;
    return true;
  }
  if (block->head().parts > 1) {
    if (batch_.next > key.first) return true;
    // Big ones come alone, so that a batch is not much larger than was asked for.
    done_ = !empty();
    if (done_) return false;
    split_ = Split{key.first, block->head().parts};
    return false;
  }
  take_records(*block, key.first);
  return !done();
}

void BatchBuilder::take_records(const Block& block, Sequence first) {
  const auto before_end = std::min<Sequence>(block.head().count, limits_.end - first);
  const auto end = static_cast<std::size_t>(before_end);
  if (batch_.next - first >= end) return;
  const auto begin = static_cast<std::size_t>(batch_.next - first);
  std::size_t stop = begin;
  while (stop < end && !done_) {
    ++stop;
    bytes_ += block.end(stop - 1) - block.begin(stop - 1);
    done_ = bytes_ >= limits_.max_bytes || batch_.records.size() + stop - begin >= limits_.max_records;
  }
  batch_.storage.emplace_back(std::string(block.records(begin, stop)));
  const std::string_view copy = batch_.storage.back();
  const auto start = block.begin(begin);
  for (std::size_t i = begin; i < stop; ++i) {
    const Sequence sequence = first + i;
    const auto bytes = copy.substr(block.begin(i) - start, block.end(i) - block.begin(i));
    const bool holds = checksum_holds(bytes, {sequence, 0}, block.checksum(i));
    auto record = holds ? parse_record(bytes, sequence) : Error{Fault::corrupt, {}};
    if (record) {
      batch_.records.push_back(*record);
    } else {
      batch_.damaged.push_back(sequence);
    }
  }
  batch_.next = first + stop;
}

void BatchBuilder::add_split(Result<Bytes> bytes) {
  const auto sequence = split_->sequence;
  split_.reset();
  batch_.next = sequence + 1;
  if (bytes) {
    bytes_ += bytes->size();
    batch_.storage.push_back(*std::move(bytes));
    if (const auto record = parse_record(batch_.storage.back(), sequence)) {
      batch_.records.push_back(*record);
      batch_.records.back().owner = batch_.storage.back().owner();
    } else {
      batch_.damaged.push_back(sequence);
    }
  } else if (bytes.error().fault != Fault::not_found) {
    batch_.damaged.push_back(sequence);
  }
  done_ = bytes_ >= limits_.max_bytes || batch_.records.size() >= limits_.max_records;
}

void BatchBuilder::skip_to(Sequence to) {
  to = std::min(to, limits_.end);
  if (to <= batch_.next) return;
  flush_damaged(to);
  batch_.next = to;
}

// A damaged block does not tell how many records it held; what follows it does, but for a hole
// behind it, where the most that a block can hold is assumed.
void BatchBuilder::flush_damaged(Sequence end) {
  if (!damaged_from_) return;
  end = std::min(end, *damaged_from_ + max_block_records);
  for (Sequence lost = *damaged_from_; lost < end; ++lost) batch_.damaged.push_back(lost);
  damaged_from_.reset();
}

}  // namespace picket::buffer

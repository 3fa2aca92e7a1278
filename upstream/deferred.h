// Envelopes that the cursor has passed and that still wait: for a rate limit to end, or, when the
// upstream errs on them alone, for another try.
//
// INVARIANT  At most `capacity`; ascending by sequence; an envelope is named until it is settled.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "upstream/parcel.h"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace picket::upstream {

class Deferred {
 public:
  static constexpr std::size_t capacity = 4'096;

  struct Entry {
    Time until{};
    Label label;  // empty (sequence 0) after a restart, until it is read again
    unsigned attempts = 0;
    bool under_way = false;
  };

  std::size_t size() const { return entries_.size(); }
  bool full() const { return entries_.size() >= capacity; }
  bool contains(buffer::Sequence sequence) const { return entries_.contains(sequence); }
  // The smallest sequence, 0 when there is none.
  buffer::Sequence oldest() const { return entries_.empty() ? 0 : entries_.begin()->first; }
  const std::map<buffer::Sequence, Entry>& entries() const { return entries_; }

  void add(buffer::Sequence sequence, Entry entry);
  void remove(buffer::Sequence sequence) { entries_.erase(sequence); }
  // The oldest that is due, now under way; nothing when none is.
  std::optional<std::pair<buffer::Sequence, Entry>> start_due(Time now);
  // When start_due() is worth another call; nothing when all are under way.
  std::optional<Time> next_look() const;
  // All are due at once.
  void hasten();

 private:
  std::map<buffer::Sequence, Entry> entries_;
  Time none_before_ = Time::max();  // nothing is due before it: spares looking through all of them
};

}  // namespace picket::upstream

// What of a backlog each class of envelopes has still to send: after an outage the cursor hands the
// whole stretch of the journal over to the classes, and each looks through it for its own at its own
// pace and in its own order.
//
//   cursor ─ hand_over([a, b)) ─► errors      [a ─────── d)   newest first: looks from the end
//                                 sessions        [c ── b)    oldest first: looks from the beginning
//                                 …
//
// A lane is a list of ranges that it has not looked through. One that looks newest first leaves a range
// when others arrive behind it; when it has too many it finishes what it has before it looks at them.
//
// INVARIANT  Every record that was handed over is in exactly one lane's charge: its class's; what
//            cannot be read, or is no envelope, is in that of SendClass::other.
// INVARIANT  At most `most_ranges` + 1 ranges a lane, whatever waits.
// THREADS    A value.
#pragma once

#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "upstream/send_class.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

namespace picket::upstream {

struct SequenceRange {
  buffer::Sequence first = 0;
  buffer::Sequence end = 0;  // exclusive
  std::uint64_t size() const { return end - first; }
  friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

class Lane {
 public:
  static constexpr std::size_t most_ranges = 64;

  bool empty() const { return ranges_.empty(); }
  const std::vector<SequenceRange>& ranges() const { return ranges_; }
  void load(std::vector<SequenceRange> ranges, bool newest_first);

  void add(SequenceRange range);
  // Where to look next: at the end of it when newest first, else at its beginning. REQUIRES: not empty().
  SequenceRange next() const;
  // `looked` was looked through: the end or the beginning of next().
  void pass(SequenceRange looked);
  // What lies before is gone; what lies at or behind it was never there.
  void forget_before(buffer::Sequence sequence);
  void forget_from(buffer::Sequence sequence);

 private:
  std::size_t next_index() const;
  std::vector<SequenceRange> ranges_;  // ascending, none empty
  bool newest_first_ = false;
  bool untouched_ = false;  // the last range: it still grows
};

class Lanes {
 public:
  using NewestFirst = std::bitset<send_classes.size()>;
  explicit Lanes(NewestFirst newest_first = {}) : newest_first_(newest_first) {}

  void load(const schema::LinkState& row);
  void store(schema::LinkState& row) const;

  bool empty() const;
  // The first record that some lane has not looked through; 0 when there is none.
  buffer::Sequence lowest() const;
  // Records that were handed over and not taken.
  std::uint64_t waiting() const { return waiting_; }

  void hand_over(SequenceRange range);
  Lane& lane(SendClass send_class) { return lanes_[static_cast<std::size_t>(send_class)]; }
  const Lane& lane(SendClass send_class) const { return lanes_[static_cast<std::size_t>(send_class)]; }
  // `records` were taken out of a lane's charge.
  void take(std::uint64_t records) { waiting_ -= std::min(waiting_, records); }
  // The journal begins at `first` now. True when some lane had not looked through all before it.
  bool forget_before(buffer::Sequence first);
  // The journal ends before `end` now: an older one was restored.
  void forget_from(buffer::Sequence end);
  // Once all lanes are empty: records that none of them has found. They are lost, and waited for no more.
  std::uint64_t take_lost();

 private:
  NewestFirst newest_first_;
  std::array<Lane, send_classes.size()> lanes_;
  std::uint64_t waiting_ = 0;
};

// Whether a destination's row still says what the lanes hold; `cursor` is the one in Table::cursors.
bool lanes_hold(const schema::LinkState& row, buffer::Sequence cursor);

}  // namespace picket::upstream

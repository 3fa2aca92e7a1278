// The records between a destination's cursor and the last one read: each is under way or settled.
// They settle in any order; the cursor passes them in order.
//
// INVARIANT  What passes is the longest settled prefix, each record once.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "upstream/parcel.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace picket::upstream {

// All but skipped and deferred are stored (Table::forwarding): never renumber.
enum class Fate : std::uint8_t {
  skipped = 0,  // nothing to forward: not an envelope
  forwarded = 1,
  quarantined = 2,
  expired = 3,   // recycled from the journal before it was forwarded, or too old to be sent
  deferred = 4,  // passed by the cursor, still waiting
  handed = 5,    // likewise, in the lanes
  not_routed = 10,   // the configuration says that the destination is not to have it
  not_sampled = 11,  // it is of the part that sampling leaves out
};

struct Settled {
  Fate fate = Fate::skipped;
  Label label;
  std::uint64_t records = 1;
  std::uint64_t sent_bytes = 0;      // forwarded
  unsigned status = 0;               // quarantined: the answer's, 0 without one
  std::string answer;                // quarantined: its first bytes, or our reason
  Time deferred_until{};             // deferred
  unsigned attempts = 0;             // deferred
  std::uint64_t retry_generation = 0;  // deferred: the destination's at that time
};

class Window {
 public:
  explicit Window(buffer::Sequence cursor = 1) : cursor_(cursor), end_(cursor) {}

  buffer::Sequence cursor() const { return cursor_; }
  buffer::Sequence end() const { return end_; }
  std::size_t size() const { return entries_.size(); }
  // Of them, those that are on their way into the deferred list.
  std::size_t deferred() const { return deferred_; }

  // The next `records` sequence numbers, as one entry.
  void open(std::uint64_t records = 1) {
    entries_.push_back({end_, records, std::nullopt});
    end_ += records;
  }

  // REQUIRES: `sequence` is the first of an open entry.
  void settle(buffer::Sequence sequence, Settled settled);

  // Hands the settled prefix to `take(Settled&&)` and moves the cursor past it.
  template <class Take>
  bool pass(Take take) {
    bool any = false;
    while (!entries_.empty() && entries_.front().settled) {
      cursor_ = entries_.front().first + entries_.front().records;
      if (entries_.front().settled->fate == Fate::deferred) --deferred_;
      take(*std::move(entries_.front().settled));
      entries_.pop_front();
      any = true;
    }
    return any;
  }

 private:
  struct Entry {
    buffer::Sequence first = 0;
    std::uint64_t records = 1;
    std::optional<Settled> settled;
  };
  buffer::Sequence cursor_;
  buffer::Sequence end_;
  std::deque<Entry> entries_;
  std::size_t deferred_ = 0;
};

}  // namespace picket::upstream

// When a destination's backlog will be gone, as far as can be said: from how fast it went lately, how
// fast more arrives, and what windows and byte caps leave of the days to come.
//
// THREADS    A value.
#pragma once

#include "buffer/clock.h"
#include "upstream/byte_budget.h"
#include "upstream/schedule.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace picket::upstream {

// Means over about the last minute, of the time in which something could leave.
class DrainRate {
 public:
  using Steady = std::chrono::steady_clock;
  // Totals since start, about once a second. `open`: something may leave, and something waits.
  void note(Steady::time_point now, std::uint64_t settled, std::uint64_t arrived, std::uint64_t wire_bytes, bool open);

  bool known() const { return open_seconds_ >= 2; }
  double settled_per_second() const { return settled_; }
  double arrived_per_second() const { return arrived_; }
  double bytes_per_record() const { return settled_ > 0 ? bytes_ / settled_ : 0; }

 private:
  bool begun_ = false;
  Steady::time_point at_{};
  std::uint64_t settled_total_ = 0;
  std::uint64_t arrived_total_ = 0;
  std::uint64_t bytes_total_ = 0;
  double settled_ = 0;  // a second
  double arrived_ = 0;
  double bytes_ = 0;
  double open_seconds_ = 0;
  double seconds_ = 0;
};

// Nothing when it cannot be said, or not within a year: nothing leaves, or more arrives than leaves.
std::optional<Time> estimate_drained(Time now,
                                     std::uint64_t waiting,
                                     const DrainRate& rate,
                                     const Schedule& schedule,
                                     const ByteBudget& day,
                                     const ByteBudget& month);

}  // namespace picket::upstream

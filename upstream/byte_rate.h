// A cap in bytes a second: a bucket that fills steadily and holds a tenth of a second's worth.
//
// INVARIANT  Over any T seconds no more is taken than rate × (T + 0.1); what is charged beside that (a
//            request's head leaves whole) is owed, and nothing more is taken until it is paid.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"

#include <chrono>
#include <cstdint>

namespace picket::upstream {

class ByteRate {
 public:
  using Steady = std::chrono::steady_clock;
  explicit ByteRate(std::uint64_t bytes_per_second) : rate_(static_cast<double>(bytes_per_second)), level_(rate_ / 10) {}

  bool capped() const { return rate_ > 0; }
  // How many of `wanted` bytes may go now, which then count as gone; 0: ask again in ready_in().
  std::uint64_t take(std::uint64_t wanted, Steady::time_point now);
  void charge(std::uint64_t bytes, Steady::time_point now);
  // How long until a piece that is worth a write has gathered; zero: it has.
  Duration ready_in(Steady::time_point now) const;

 private:
  double level_at(Steady::time_point now) const;
  double piece() const { return rate_ / 40 > 1 ? rate_ / 40 : 1; }

  double rate_;   // bytes a second, 0: no cap
  double level_;  // at `at_`; below zero: owed
  Steady::time_point at_{};
};

}  // namespace picket::upstream

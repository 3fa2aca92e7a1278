// At which pace the digest goes on: one that takes its share of the processors, or one that gives way to everybody.
//
// A trickle is read at once. Of a stream the disk comes first, as long as what waits is a second old at most; and half
// a minute when it comes faster than one processor could read it, for then hurrying helps nobody. What is kept from
// the processors altogether, while others wait for the tables, takes its share for a while.
//
// THREADS  Belongs to one thread at a time.
#pragma once

#include "buffer/clock.h"
#include "buffer/two_paces.h"

#include <chrono>
#include <cstddef>
#include <optional>

namespace picket::digest {

struct BatchTaken {
  std::size_t records = 0;
  Duration took{};       // by the clock
  Duration processor{};  // of the thread
  Duration stretch{};    // from when to when the records were received
  Duration behind{};     // the age of the newest of them
};

class DigestPace {
 public:
  using Steady = std::chrono::steady_clock;

  Pace after(const BatchTaken& batch, Steady::time_point now);

 private:
  double needed_ = 0;  // how much of a processor reading the stream takes, smoothed
  std::optional<Steady::time_point> starved_at_;
};

}  // namespace picket::digest

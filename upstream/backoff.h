// When a destination that fails is tried again: exponential with full jitter, one request at a time
// until one succeeds, then twice as many with each success.
//
// INVARIANT  Requests that were under way together count as one failure.
#pragma once

#include "buffer/clock.h"

#include <chrono>
#include <cstdint>

namespace picket::upstream {

// Drawn from [0, min(most, least * 2^(failures - 1))].
Duration jittered(Duration least, Duration most, unsigned failures);

class Backoff {
 public:
  using Steady = std::chrono::steady_clock;
  Backoff(Duration least, Duration most, std::uint64_t max_in_flight)
      : least_(least), most_(most), max_in_flight_(max_in_flight) {}

  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t allowance() const { return allowance_; }
  unsigned failures() const { return failures_; }
  bool failing() const { return failures_ > 0; }
  bool waits(Steady::time_point now) const { return now < resume_at_; }
  Duration left(Steady::time_point now) const;

  // `epoch` is the one in which the request was started; `at_least` what the upstream asked for.
  void on_failure(std::uint64_t epoch, Duration at_least, Steady::time_point now);
  // Nothing more until then, however young the request.
  void stop_for(Duration pause, Steady::time_point now);
  // A connection can be made again: at once, and as after a first failure.
  void hurry();
  void on_success();
  void reset();

 private:
  Duration least_;
  Duration most_;
  std::uint64_t max_in_flight_;
  std::uint64_t epoch_ = 0;
  std::uint64_t allowance_ = 1;
  unsigned failures_ = 0;
  Steady::time_point resume_at_{};
};

}  // namespace picket::upstream

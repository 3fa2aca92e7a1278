// A clock that stands still until a test moves it.
#pragma once

#include "buffer/clock.h"

#include <atomic>

namespace picket::testing {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time start = time_from_ms(1'700'000'000'000)) : ms_(to_ms(start)) {}
  Time now() const override { return time_from_ms(ms_.load()); }
  void advance(Duration by) { ms_ += by.count(); }
  void set(Time time) { ms_ = to_ms(time); }

 private:
  std::atomic<std::int64_t> ms_;
};

}  // namespace picket::testing

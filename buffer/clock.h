// Time as Picket stores and passes it: milliseconds of wall-clock time since the Unix epoch.
// Code that decides by time takes a `Time` or a `const Clock&`, so that a test can say what time it is.
#pragma once

#include <chrono>
#include <cstdint>

namespace picket {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

constexpr Time time_from_ms(std::int64_t ms) { return Time(Duration(ms)); }
constexpr std::int64_t to_ms(Time time) { return time.time_since_epoch().count(); }

// THREADS  now() is called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

}  // namespace picket

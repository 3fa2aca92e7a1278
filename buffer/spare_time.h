// How long work that can wait for ever pauses after each of its steps, so that nobody notices it: not at all while
// nothing else happens, for three quarters of the time while records come in, longer and longer while others want the
// processors, and until it is over while the digest has something to do.
//
// THREADS  Belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace picket::buffer {

struct StepTaken {
  std::chrono::microseconds took{};       // by the clock
  std::chrono::microseconds processor{};  // of the thread
  bool records_came = false;              // meanwhile
  bool digest_waits = false;              // has more to read than it takes at once
};

class SpareTime {
 public:
  std::chrono::microseconds pause_after(const StepTaken& step);

 private:
  std::chrono::microseconds starved_pause_{};
};

}  // namespace picket::buffer

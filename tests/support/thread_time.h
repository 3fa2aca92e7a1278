// The processor time of this thread: what a limit on work is judged by, so that a machine that is busy with
// something else does not count.
#pragma once

#include <chrono>
#include <ctime>

namespace picket::testing {

inline std::chrono::nanoseconds thread_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace picket::testing

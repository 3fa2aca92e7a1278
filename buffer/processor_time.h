// What of the processors' time was used so far: a measure of work that a busy machine does not change.
#pragma once

#include <chrono>
#include <ctime>

namespace picket {

inline std::chrono::nanoseconds processor_time(clockid_t whose) {
  timespec used{};
  ::clock_gettime(whose, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

inline std::chrono::nanoseconds thread_processor_time() { return processor_time(CLOCK_THREAD_CPUTIME_ID); }
inline std::chrono::nanoseconds process_processor_time() { return processor_time(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace picket

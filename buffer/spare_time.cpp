#include "buffer/spare_time.h"

#include <algorithm>

namespace picket::buffer {

std::chrono::microseconds pause_after(const StepTaken& step) {
  using namespace std::chrono_literals;
  constexpr std::chrono::microseconds waits_for_disk = 20ms;  // in a step, that is no sign of others
  constexpr std::chrono::microseconds most_for_disk = 100ms;
  constexpr int processor_share = 10;
  constexpr int disk_share = 4;
  const bool others_want = step.took > 2 * step.processor + waits_for_disk;
  if (!others_want && !step.records_came && !step.digest_waits) return 0us;
  // Commits share the disk that a step may have waited for.
  return std::max((processor_share - 1) * step.processor, std::min((disk_share - 1) * step.took, most_for_disk));
}

}  // namespace picket::buffer

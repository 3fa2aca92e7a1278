#include "buffer/spare_time.h"

#include <algorithm>

namespace picket::buffer {

std::chrono::microseconds SpareTime::pause_after(const StepTaken& step) {
  using namespace std::chrono_literals;
  constexpr std::chrono::microseconds least_starved = 100ms;
  constexpr std::chrono::microseconds most_starved = 2s;
  constexpr std::chrono::microseconds for_digest = 250ms;
  constexpr std::chrono::microseconds waits_for_disk = 20ms;  // in a step, that is no sign of others
  constexpr int share_while_busy = 4;
  const bool starved = step.took > 2 * step.processor + waits_for_disk;
  starved_pause_ = starved ? std::clamp(2 * starved_pause_, least_starved, most_starved) : std::chrono::microseconds(0);
  auto pause = starved_pause_;
  if (step.digest_waits) pause = std::max(pause, for_digest);
  if (step.records_came) pause = std::max(pause, (share_while_busy - 1) * step.took);
  return pause;
}

}  // namespace picket::buffer

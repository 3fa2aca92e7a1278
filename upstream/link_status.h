// How a destination's link is doing, for status and metrics.
#pragma once

#include "buffer/clock.h"

#include <cstdint>
#include <optional>
#include <string>

namespace picket::upstream {

// Payload that TCP carried.
struct WireBytes {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

struct LinkStatus {
  std::string waits;  // why nothing begins, or only some; empty when all may
  std::optional<Time> waits_until;
  bool metered = false;
  bool outside = false;  // its windows
  WireBytes wire;  // since start
  std::uint64_t day_bytes = 0;
  std::uint64_t day_cap = 0;  // 0: none
  std::uint64_t month_bytes = 0;
  std::uint64_t month_cap = 0;
  std::optional<Time> drained_at;  // when the backlog will be gone; nothing when it cannot be said
  std::uint64_t outlived = 0;      // envelopes that were not worth sending any more
  std::uint64_t too_old = 0;       // … that the upstream would have refused for their age
};

}  // namespace picket::upstream

// What a term says about a time: `-24h`, `+14d`, `>2024-01-01`, a day, a moment.
#pragma once

#include "api/query/condition.h"
#include "buffer/clock.h"

#include <cstdint>
#include <limits>

namespace picket::query {

struct TimeRange {
  std::int64_t from_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_ms = std::numeric_limits<std::int64_t>::max();  // excluded
  bool contains(std::int64_t ms) const { return ms >= from_ms && ms < to_ms; }
};

// A day means that day, a moment five minutes around it. Negation is the caller's.
Result<TimeRange> time_range(const Condition& term, Time now);

}  // namespace picket::query

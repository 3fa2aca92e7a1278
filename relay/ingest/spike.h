// Spike protection: how much of a project's errors and transactions in one hour is still ordinary.
//
//   limit an hour = the larger of `least_limit` and `multiple` × the mean of the last seven days
//
// The mean is over the hours since the project's first accepted item of those days, so that a young
// project is measured by what it has lived. It comes from the tables, where the digest counts what
// was accepted: a restart changes nothing.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "relay/protocol/dsn.h"

#include <cstdint>

namespace picket::ingest {

constexpr std::uint64_t spike_least_limit = 1'000;
constexpr std::uint64_t spike_multiple = 10;
constexpr std::chrono::hours spike_baseline{7 * 24};

// Costs a walk over the project's outcome rows of the seven days.
std::uint64_t find_spike_limit(const buffer::Reader& reader, relay::ProjectId project, Time now);

}  // namespace picket::ingest

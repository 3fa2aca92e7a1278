// Monitors and their check-ins: what a check-in, or its absence, does to a monitor's environment.
//
// Works on the rows inside a batch; times come in as arguments. A check-in that fails, or enough of
// them, makes an incident, and an incident an issue: one event per failing check-in (see
// occurrence.h). Enough that succeed end it and resolve the issue.
// https://docs.sentry.io/product/crons/
#pragma once

#include "api/digest/parsed_batch.h"
#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

// MonitorEnvironment::status: never renumber.
enum class MonitorHealth : std::uint8_t { active = 0, ok = 1, error = 2 };

std::string_view wire_name(CheckInStatus status);

struct Fate {
  relay::Outcome outcome = relay::Outcome::accepted;
  std::string_view reason;
};

// REQUIRES: projects of `batch` may be read and issues changed: nobody else holds their rows.
// Handles what was due before the check-in first, so that times come in order.
Fate take_check_in(buffer::Batch& batch, const ParsedCheckIn& check_in);

// Marks what is missed or took too long by `now`, at most `most` of them. The number marked.
std::size_t mark_due(buffer::Batch& batch, Time now, std::size_t most);
// Is anything due?
bool anything_due(const buffer::Reader& reader, Time now);

// A new monitor; its slug is free. Gives it its id.
void create_monitor(buffer::Batch& batch, schema::Monitor& monitor);
std::optional<schema::Monitor> find_monitor(const buffer::Reader& reader, std::uint64_t project, std::string_view slug);
void put_monitor(buffer::Batch& batch, const schema::Monitor& monitor);
// After a change of the schedule or the state: what is expected of each environment now.
void expect_anew(buffer::Batch& batch, const schema::Monitor& monitor, Time now);
// With its environments and check-ins; of one environment only when it is named.
void delete_monitor(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view environment = {});

}  // namespace picket::digest

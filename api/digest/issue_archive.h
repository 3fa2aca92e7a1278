// What ends an issue's archive: a time, events or users that come, or more events than were to be
// expected.
//
// Windows slide by a twelfth of their length: what is counted is never older than the window, and
// covers at least eleven twelfths of it. They go by the time of receipt, which SDK clocks do not
// touch; when our own clock goes back, what comes counts as of the newest slot.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>

namespace picket::digest {

// What somebody archived an issue until; 0: not until this.
struct ArchiveConditions {
  std::int64_t until_ms = 0;
  std::uint64_t count = 0;       // so many more events
  std::uint32_t window_min = 0;  // within so many minutes; 0: from then on
  std::uint64_t users = 0;       // so many more users
  std::uint32_t user_window_min = 0;

  bool counts() const { return count != 0 || users != 0; }
};

// Makes the issue wait for its conditions, or (archived_until_escalating) for more events an hour
// than now foreseen. Its status, substatus and details are the caller's to set, before.
void begin_archive(buffer::Batch& batch,
                   schema::Issue& issue,
                   const schema::IssueCounters& counters,
                   const ArchiveConditions& conditions,
                   Time now);
// Forgets what it waited for; to be called whenever an issue's status changes.
void forget_archive(buffer::Batch& batch, schema::Issue& issue);

// An event of an archived issue, and what the issue's counts are with it.
struct ArchivedEvent {
  std::int64_t received_ms = 0;
  std::uint64_t times_seen = 0;
  std::uint64_t users_seen = 0;
  std::uint64_t user = 0;  // a hash; 0: the event has none
};
// Counts the event. True when a condition is met with it.
bool meets_condition(schema::IssueSnooze& snooze, const ArchivedEvent& event);

// More events than this in one hour are more than an issue with this past was to be expected to
// have: twice its busiest hour of the last three days, twice the mean hour of the busiest of its
// last fourteen days, its mean hour of three days and five standard deviations; at least ten.
// `last_hour`: the number of the last hour that counts as past.
std::uint32_t escalation_limit(const schema::IssueCounters& counters, std::uint64_t last_hour);
// How many events were counted in an hour; 0 outside of what is kept.
std::uint32_t count_in_hour(const schema::IssueCounters& counters, std::uint64_t hour);
std::uint64_t hour_number(std::int64_t ms);

}  // namespace picket::digest

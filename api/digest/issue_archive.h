// What ends an issue's archive: a time, events or users that come, or more events than were to be
// expected (issue_escalation.h).
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

}  // namespace picket::digest

// How an issue's state changes without anybody asking: it comes back, escalates, its archive ends,
// it has been back for so long that it is ongoing. Each change leaves an activity that has no user.
//
// What time brings is a row in Table::issue_due: time u64 │ issue u64 → DueKind. A row that an issue
// no longer waits for does nothing.
//
// INVARIANT  A change is made at the time that its cause names (an event's receipt, the end of an
//            archive), not at the time of writing: digesting again does the same.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picket::digest {

enum class DueKind : std::uint8_t { archive_ends = 1, ongoing = 2 };

// What brought a change about.
struct Cause {
  std::int64_t at_ms = 0;
  std::string_view event_id;  // 32 hex digits
  std::string_view release;
};

// A resolved issue comes back.
void regress(buffer::Batch& batch, schema::Issue& issue, const Cause& cause);
// An issue had more events than foreseen (`forecast`), or, archived, (0) met its condition.
void escalate(buffer::Batch& batch, schema::Issue& issue, const Cause& cause, std::uint32_t forecast);
// The time is over for which an issue was archived.
void end_archive(buffer::Batch& batch, schema::Issue& issue);

// Writes an activity of nobody's; `data` is a JSON object.
void put_activity(buffer::Batch& batch,
                  std::uint64_t issue,
                  std::string_view type,
                  std::int64_t at_ms,
                  std::string_view data);

void put_due(buffer::Batch& batch, std::int64_t at_ms, std::uint64_t issue, DueKind kind);
void remove_due(buffer::Batch& batch, std::int64_t at_ms, std::uint64_t issue);
// A regressed or escalating issue is ongoing a week later.
void begin_recent(buffer::Batch& batch, schema::Issue& issue, std::int64_t at_ms);

bool any_issue_due(const buffer::Reader& reader, Time now);
// Does what is due up to `now`, for at most `most` issues.
void settle_due_issues(buffer::Batch& batch, Time now, std::size_t most);

}  // namespace picket::digest

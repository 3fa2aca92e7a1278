#include "api/digest/issue_life.h"

#include "api/digest/issue_archive.h"
#include "api/digest/issue_decision.h"
#include "api/digest/issue_release.h"
#include "api/digest/issue_state.h"
#include "api/digest/json_shape.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::int64_t recent_ms = std::int64_t{7} * 24 * 3'600'000;

Key due_key(std::int64_t at_ms, std::uint64_t issue) {
  return std::move(
      Key().u64(static_cast<std::uint64_t>(std::max<std::int64_t>(0, at_ms))).u64(issue));
}

void make_unresolved(buffer::Batch& batch, schema::Issue& issue, Substatus substatus, std::int64_t at_ms) {
  stamp_automatic(batch, issue, buffer::IssuePart::status, at_ms);
  forget_archive(batch, issue);
  forget_release(batch, issue);
  issue.set_status(static_cast<std::uint32_t>(Status::unresolved));
  issue.set_substatus(static_cast<std::uint32_t>(substatus));
  issue.clear_status_details_json();
  issue.clear_status_user();
  issue.clear_resolved_ms();
  issue.clear_resolved_after();
  issue.clear_next_release_named();
}

void settle(buffer::Batch& batch, std::int64_t at_ms, std::uint64_t id, DueKind kind) {
  auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
  if (!issue || issue->merged_into() != 0) return;
  if (kind == DueKind::archive_ends) {
    if (status_of(*issue) != Status::ignored || issue->ignored_until_ms() != at_ms) return;
    end_archive(batch, *issue);
  } else {
    const auto substatus = static_cast<Substatus>(issue->substatus());
    const bool recent = substatus == Substatus::regressed || substatus == Substatus::escalating;
    if (!recent || issue->state_ms() + recent_ms != at_ms) return;
    issue->set_substatus(static_cast<std::uint32_t>(Substatus::ongoing));
    issue->clear_state_ms();
    put_activity(batch, id, "auto_set_ongoing", at_ms, R"({"after_days":7})");
  }
  buffer::put_row(batch, Table::issues, Key().u64(id), *issue);
}

}  // namespace

void regress(buffer::Batch& batch, schema::Issue& issue, const Cause& cause) {
  make_unresolved(batch, issue, Substatus::regressed, cause.at_ms);
  begin_recent(batch, issue, cause.at_ms);
  std::string data = "{\"event_id\":";
  append_json_text(data, cause.event_id);
  data += ",\"version\":";
  append_json_text(data, cause.release);
  data += '}';
  put_activity(batch, issue.id(), "set_regression", cause.at_ms, data);
}

void escalate(buffer::Batch& batch, schema::Issue& issue, const Cause& cause, std::uint32_t forecast) {
  std::string data = "{\"event_id\":";
  append_json_text(data, cause.event_id);
  if (forecast != 0) {
    data += ",\"forecast\":" + std::to_string(forecast);
  } else {
    const auto& details = issue.status_details_json();
    data += ",\"expired_snooze\":" + (details.empty() ? std::string("{}") : details);
  }
  data += '}';
  // Of one that is unresolved already no status changes: what somebody decided about it stands.
  if (status_of(issue) == Status::unresolved) {
    issue.set_substatus(static_cast<std::uint32_t>(Substatus::escalating));
  } else {
    make_unresolved(batch, issue, Substatus::escalating, cause.at_ms);
  }
  begin_recent(batch, issue, cause.at_ms);
  put_activity(batch, issue.id(), "set_escalating", cause.at_ms, data);
}

void end_archive(buffer::Batch& batch, schema::Issue& issue) {
  const auto at_ms = issue.ignored_until_ms();
  make_unresolved(batch, issue, Substatus::ongoing, at_ms);
  put_activity(batch, issue.id(), "set_unresolved", at_ms, "{}");
}

void put_activity(buffer::Batch& batch,
                  std::uint64_t issue,
                  std::string_view type,
                  std::int64_t at_ms,
                  std::string_view data) {
  schema::Activity activity;
  activity.set_id(batch.next_number("activity"));
  activity.set_type(std::string(type));
  activity.set_at_ms(at_ms);
  activity.set_data_json(std::string(data));
  const auto key =
      Key().u64(issue).descending(static_cast<std::uint64_t>(at_ms)).descending(activity.id());
  buffer::put_row(batch, Table::activities, key, activity);
}

void put_due(buffer::Batch& batch, std::int64_t at_ms, std::uint64_t issue, DueKind kind) {
  batch.put(Table::issue_due, due_key(at_ms, issue), Key().u8(static_cast<std::uint8_t>(kind)));
}

void remove_due(buffer::Batch& batch, std::int64_t at_ms, std::uint64_t issue) {
  batch.remove(Table::issue_due, due_key(at_ms, issue));
}

void begin_recent(buffer::Batch& batch, schema::Issue& issue, std::int64_t at_ms) {
  issue.set_state_ms(at_ms);
  put_due(batch, at_ms + recent_ms, issue.id(), DueKind::ongoing);
}

bool any_issue_due(const buffer::Reader& reader, Time now) {
  auto cursor = reader.cursor(Table::issue_due);
  return cursor.first() && static_cast<std::int64_t>(KeyReader(cursor.key()).u64()) <= to_ms(now);
}

void settle_due_issues(buffer::Batch& batch, Time now, std::size_t most) {
  struct Due {
    std::string key;
    DueKind kind{};
  };
  std::vector<Due> due;
  {
    auto cursor = batch.cursor(Table::issue_due);
    for (bool there = cursor.first(); there && due.size() < most; there = cursor.next()) {
      if (static_cast<std::int64_t>(KeyReader(cursor.key()).u64()) > to_ms(now)) break;
      due.push_back({std::string(cursor.key()), static_cast<DueKind>(KeyReader(cursor.value()).u8())});
    }
  }
  for (const auto& [bytes, kind] : due) {
    batch.remove(Table::issue_due, bytes);
    KeyReader key(bytes);
    const auto at_ms = static_cast<std::int64_t>(key.u64());
    settle(batch, at_ms, key.u64(), kind);
  }
}

}  // namespace picket::digest

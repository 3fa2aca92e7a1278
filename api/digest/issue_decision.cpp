#include "api/digest/issue_decision.h"

#include "api/digest/issue_life.h"
#include "api/digest/issue_release.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <utility>

namespace picket::digest {

using buffer::IssuePart;
using buffer::Key;
using buffer::Table;

Deciding::Deciding(buffer::Batch& batch, schema::Issue& issue, std::int64_t now_ms, std::optional<Elsewhere> elsewhere)
    : batch_(batch), issue_(issue), elsewhere_(std::move(elsewhere)), at_ms_(now_ms) {
  if (elsewhere_) at_ms_ = std::min(elsewhere_->stamp.ms(), now_ms);
}

bool Deciding::comes_too_late(IssuePart part) const {
  return elsewhere_ && !buffer::later(elsewhere_->stamp, buffer::stamp_of(issue_, part));
}

bool Deciding::take_stamp(IssuePart part, bool another) {
  if (!another && !elsewhere_) return false;
  const auto before = buffer::stamp_of(issue_, part);
  buffer::set_stamp(issue_, part, elsewhere_ ? elsewhere_->stamp : buffer::next_stamp(before, at_ms_, buffer::instance_of(batch_)));
  if (another) buffer::note_changed(batch_, issue_);
  changed_ = true;
  return another;
}

bool Deciding::set_state(const StateDecision& decision) {
  if (comes_too_late(IssuePart::status)) return false;
  const auto status = static_cast<std::uint32_t>(decision.status);
  const auto substatus = static_cast<std::uint32_t>(decision.substatus);
  const bool same = issue_.status() == status && issue_.status_details_json() == decision.details_json;
  // An unresolved issue that is unresolved again stays new, or regressed.
  if (same && (issue_.substatus() == substatus || decision.status == Status::unresolved)) {
    return take_stamp(IssuePart::status, false);
  }
  // Before the row's own times change: they count as stamps of rows without one.
  take_stamp(IssuePart::status, true);
  forget_archive(batch_, issue_);
  forget_release(batch_, issue_);
  issue_.set_status(status);
  issue_.set_substatus(substatus);
  issue_.set_status_details_json(decision.details_json);
  issue_.set_status_user(decision.status == Status::unresolved ? 0 : decision.user);
  issue_.set_resolved_ms(decision.status == Status::resolved ? at_ms_ : 0);
  issue_.set_resolved_after(decision.resolved_after);
  issue_.clear_next_release_named();
  await_release(batch_, issue_);
  if (decision.status == Status::ignored) {
    const auto counters = buffer::find_row<schema::IssueCounters>(batch_, Table::issue_counters, Key().u64(issue_.id()));
    begin_archive(batch_, issue_, counters.value_or(schema::IssueCounters()), decision.conditions, time_from_ms(at_ms_));
  }
  const bool recent = decision.substatus == Substatus::regressed || decision.substatus == Substatus::escalating;
  if (decision.status == Status::unresolved && recent) begin_recent(batch_, issue_, at_ms_);
  return true;
}

bool Deciding::assign(std::uint64_t user, std::uint64_t team) {
  if (comes_too_late(IssuePart::assignee)) return false;
  if (issue_.assigned_user() == user && issue_.assigned_team() == team) return take_stamp(IssuePart::assignee, false);
  take_stamp(IssuePart::assignee, true);
  issue_.set_assigned_user(user);
  issue_.set_assigned_team(team);
  issue_.set_assigned_ms(at_ms_);
  return true;
}

bool Deciding::set_priority(Priority priority) {
  if (comes_too_late(IssuePart::priority)) return false;
  if (issue_.priority() == static_cast<std::uint32_t>(priority)) return take_stamp(IssuePart::priority, false);
  take_stamp(IssuePart::priority, true);
  issue_.set_priority(static_cast<std::uint32_t>(priority));
  issue_.set_priority_locked_ms(at_ms_);
  return true;
}

void Deciding::confirm(IssuePart part) {
  if (!comes_too_late(part)) take_stamp(part, false);
}

void stamp_automatic(buffer::Batch& batch, schema::Issue& issue, IssuePart part, std::int64_t at_ms) {
  auto stamp = buffer::next_stamp(buffer::stamp_of(issue, part), at_ms, buffer::instance_of(batch));
  stamp.set_automatic(true);
  buffer::set_stamp(issue, part, std::move(stamp));
}

}  // namespace picket::digest

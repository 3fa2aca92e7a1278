#include "api/digest/issue_watch.h"

#include "api/digest/issue_escalation.h"
#include "api/digest/issue_life.h"
#include "api/digest/issue_release.h"
#include "api/digest/issue_state.h"
#include "api/digest/user_set.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

// A forecast holds for a week.
void foresee(const DigestedEvent& event, IssueState& state) {
  constexpr std::int64_t week_ms = std::int64_t{7} * 24 * 3'600'000;
  auto& row = state.row;
  const auto at_ms = event.place.received_ms;
  if (row.escalation_limit() != 0 && at_ms - row.forecast_ms() < week_ms) return;
  const auto hour = hour_number(at_ms);
  row.set_escalation_limit(escalation_limit(state.counters, hour == 0 ? 0 : hour - 1));
  row.set_forecast_ms(at_ms);
  state.row_changed = true;
}

}  // namespace

void IssueWatch::on_event(const DigestedEvent& event, IssueState& state) {
  switch (status_of(state.row)) {
    case Status::unresolved: watch_rate(event, state); break;
    case Status::resolved: reopen(event, state); break;
    case Status::ignored: watch_archive(event, state); break;
  }
}

void IssueWatch::reopen(const DigestedEvent& event, IssueState& state) {
  const auto resolution = resolution_of(state.row);
  const auto organization = context_.projects[event.place.project].row.organization();
  Recurrence recurrence{.release = event.release};
  if (!event.release.empty()) {
    recurrence.release_ms = release_ms(batch_, organization, event.release);
    // A release that this event is the first of.
    if (recurrence.release_ms == 0) recurrence.release_ms = event.place.received_ms;
  }
  if (!resolution.release.empty())
    recurrence.resolved_release_ms = release_ms(batch_, organization, resolution.release);
  if (!regresses(state.row, resolution, recurrence)) return;
  const auto id = relay::render_event_id(event.id);
  regress(batch_, state.row, {event.place.received_ms, id, event.release});
  state.row_changed = true;
  ++context_.summary.regressions;
}

// An ongoing issue that has become far more frequent than it ever was is escalating.
void IssueWatch::watch_rate(const DigestedEvent& event, IssueState& state) {
  const auto received_ms = event.place.received_ms;
  if (substatus_at(state.row, time_from_ms(received_ms)) != Substatus::ongoing) return;
  if (!outgrows_its_past(state.row, state.counters, event.timestamp_ms)) return;
  const auto id = relay::render_event_id(event.id);
  escalate(batch_, state.row, {received_ms, id, event.release}, state.counters.hour_limit());
  state.row_changed = true;
}

// Ends an archive whose time, forecast or condition this event has passed.
void IssueWatch::watch_archive(const DigestedEvent& event, IssueState& state) {
  auto& row = state.row;
  const auto received_ms = event.place.received_ms;
  if (row.ignored_until_ms() != 0 && received_ms >= row.ignored_until_ms()) {
    end_archive(batch_, row);
    state.row_changed = true;
    return;
  }
  const auto id = relay::render_event_id(event.id);
  const Cause cause{received_ms, id, event.release};
  const auto substatus = static_cast<Substatus>(row.substatus());
  if (substatus == Substatus::archived_until_escalating) {
    foresee(event, state);
    const bool past = event.timestamp_ms < row.ignored_ms();
    const auto count = count_in_hour(state.counters, hour_number(event.timestamp_ms));
    if (past || count <= row.escalation_limit()) return;
    escalate(batch_, row, cause, row.escalation_limit());
  } else if (substatus == Substatus::archived_until_condition_met) {
    auto* snooze = snooze_of(state);
    if (snooze == nullptr || !meets_condition(*snooze, archived_event(event, state))) return;
    escalate(batch_, row, cause, 0);
    state.snooze.reset();
  } else {
    return;
  }
  state.row_changed = true;
}

schema::IssueSnooze* IssueWatch::snooze_of(IssueState& state) {
  if (!state.snooze) {
    state.snooze = buffer::find_row<schema::IssueSnooze>(batch_, Table::issue_snoozes,
                                                         Key().u64(state.row.id()));
  }
  return state.snooze ? &*state.snooze : nullptr;
}

ArchivedEvent IssueWatch::archived_event(const DigestedEvent& event, const IssueState& state) const {
  return {.received_ms = event.place.received_ms,
          .times_seen = state.counters.times_seen(),
          .users_seen = state.counters.users_seen(),
          .user = event.user ? user_hash(context_.parsed.tags.suffix(*event.user)) : 0};
}

}  // namespace picket::digest

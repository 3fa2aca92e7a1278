#include "api/digest/issue_archive.h"

#include "api/digest/issue_escalation.h"
#include "api/digest/issue_life.h"
#include "api/digest/issue_state.h"
#include "api/digest/user_set.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

constexpr std::int64_t slots_of_window = 12;

std::int64_t slot_number(std::int64_t ms, std::uint32_t window_min) {
  const auto slot_ms = std::int64_t{window_min} * 60'000 / slots_of_window;
  return std::max<std::int64_t>(0, ms) / std::max<std::int64_t>(1, slot_ms);
}

// Moves a series of slots on so that its last one is that of `number`, or later. Returns the last
// one's number.
template <class Slots, class AddSlot>
std::int64_t move_on(Slots& slots, std::int64_t last, std::int64_t number, const AddSlot& add) {
  if (slots.empty() || number - last >= slots_of_window) {
    slots.Clear();
    add();
    return std::max(last, number);
  }
  for (; last < number; ++last)
    add();
  if (slots.size() > slots_of_window)
    slots.erase(slots.begin(), slots.begin() + (slots.size() - static_cast<int>(slots_of_window)));
  return last;
}

bool enough_events(schema::IssueSnooze& snooze, const ArchivedEvent& event) {
  if (snooze.count() == 0) return false;
  if (snooze.window_min() == 0) return event.times_seen >= snooze.times_seen() + snooze.count();
  auto& slots = *snooze.mutable_slots();
  const auto number = slot_number(event.received_ms, snooze.window_min());
  snooze.set_slot(move_on(slots, snooze.slot(), number, [&] { slots.Add(0); }));
  slots.Set(slots.size() - 1, slots.Get(slots.size() - 1) + 1);
  std::uint64_t sum = 0;
  for (const auto count : slots)
    sum += count;
  return sum >= snooze.count();
}

bool enough_users(schema::IssueSnooze& snooze, const ArchivedEvent& event) {
  if (snooze.users() == 0) return false;
  if (snooze.user_window_min() == 0)
    return event.users_seen >= snooze.users_seen() + snooze.users();
  if (event.user == 0) return false;
  auto& slots = *snooze.mutable_user_slots();
  const auto number = slot_number(event.received_ms, snooze.user_window_min());
  snooze.set_user_slot(move_on(slots, snooze.user_slot(), number, [&] { slots.Add(); }));
  auto& newest = *slots.Mutable(slots.size() - 1);
  UserSet users(newest);
  if (users.add(event.user)) newest = users.row();
  UserSet all;
  for (const auto& slot : slots)
    all.join(UserSet(slot));
  return all.count() >= snooze.users();
}

}  // namespace

void begin_archive(buffer::Batch& batch,
                   schema::Issue& issue,
                   const schema::IssueCounters& counters,
                   const ArchiveConditions& conditions,
                   Time now) {
  forget_archive(batch, issue);
  issue.set_ignored_ms(to_ms(now));
  issue.set_ignored_until_ms(conditions.until_ms);
  if (conditions.until_ms != 0)
    put_due(batch, conditions.until_ms, issue.id(), DueKind::archive_ends);
  if (issue.substatus() == static_cast<std::uint32_t>(Substatus::archived_until_escalating)) {
    issue.set_escalation_limit(escalation_limit(counters, hour_number(to_ms(now))));
    issue.set_forecast_ms(to_ms(now));
  }
  if (!conditions.counts()) return;
  schema::IssueSnooze snooze;
  snooze.set_count(conditions.count);
  snooze.set_window_min(conditions.window_min);
  snooze.set_users(conditions.users);
  snooze.set_user_window_min(conditions.user_window_min);
  snooze.set_times_seen(counters.times_seen());
  snooze.set_users_seen(counters.users_seen());
  buffer::put_row(batch, Table::issue_snoozes, Key().u64(issue.id()), snooze);
}

void forget_archive(buffer::Batch& batch, schema::Issue& issue) {
  if (issue.ignored_ms() == 0) return;
  if (issue.ignored_until_ms() != 0)
    remove_due(batch, issue.ignored_until_ms(), issue.id());
  batch.remove(Table::issue_snoozes, Key().u64(issue.id()));
  issue.clear_ignored_ms();
  issue.clear_ignored_until_ms();
  issue.clear_escalation_limit();
  issue.clear_forecast_ms();
}

bool meets_condition(schema::IssueSnooze& snooze, const ArchivedEvent& event) {
  const bool events = enough_events(snooze, event);
  const bool users = enough_users(snooze, event);
  return events || users;
}

}  // namespace picket::digest

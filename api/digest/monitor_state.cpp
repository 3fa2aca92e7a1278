#include "api/digest/monitor_state.h"

#include "api/digest/item_reader.h"
#include "api/digest/monitor_incident.h"
#include "api/digest/monitor_schedule.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/md5.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace picket::digest {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;
using relay::Outcome;

constexpr std::uint8_t due_missed = 1;
constexpr std::uint8_t due_timeout = 2;
// Environments are named by whoever sends; each has rows of its own.
constexpr std::size_t most_environments = 200;
constexpr std::int64_t minute_ms = 60'000;

std::int64_t whole_minutes(std::int64_t ms) {
  return ms - ms % minute_ms;
}

Key environment_key(std::uint64_t monitor, std::string_view environment) {
  return std::move(Key().u64(monitor).text(environment));
}
Key check_in_key(std::uint64_t monitor, std::uint64_t number) {
  return std::move(Key().u64(monitor).descending(number));
}
Key due_key(std::int64_t at_ms, std::uint8_t kind, std::uint64_t monitor, std::string_view environment, std::uint64_t number) {
  return std::move(Key().u64(static_cast<std::uint64_t>(at_ms)).u8(kind).u64(monitor).text(environment).u64(number));
}

CheckInStatus check_in_status(const schema::CheckInRow& row) {
  return static_cast<CheckInStatus>(row.status());
}
bool has_failed(CheckInStatus status) {
  return status == CheckInStatus::error || status == CheckInStatus::missed || status == CheckInStatus::timeout;
}

// One environment of a monitor, with what may happen to it. Writes its row when it goes.
class EnvironmentState {
 public:
  EnvironmentState(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view name, Time now)
      : batch_(batch), monitor_(monitor), name_(name), key_(environment_key(monitor.id(), name)) {
    auto stored = find_row<schema::MonitorEnvironment>(batch, Table::monitor_environments, key_);
    there_ = stored.has_value();
    if (there_) row_ = *std::move(stored);
    if (!there_) row_.set_created_ms(to_ms(now));
  }

  bool there() const { return there_; }
  schema::MonitorEnvironment& row() { return row_; }
  void write() { put_row(batch_, Table::monitor_environments, key_, row_); }

  // Awaits the check-in after one at `last`.
  void expect_after(Time last) {
    forget_expected();
    const bool active = monitor_.status() == 0;
    const auto next = active ? next_check_in(monitor_.config(), last) : std::nullopt;
    row_.set_next_check_in_ms(next ? to_ms(*next) : 0);
    row_.set_next_latest_ms(next ? to_ms(*next + margin_of(monitor_.config())) : 0);
    if (next) batch_.put(Table::monitor_due, due_key(row_.next_latest_ms(), due_missed, monitor_.id(), name_, 0), "");
  }
  void forget_expected() {
    if (row_.next_latest_ms() != 0)
      batch_.remove(Table::monitor_due, due_key(row_.next_latest_ms(), due_missed, monitor_.id(), name_, 0));
    row_.set_next_check_in_ms(0);
    row_.set_next_latest_ms(0);
  }

  // What an ended check-in means.
  void settle(schema::CheckInRow& check_in, Time at) {
    if (has_failed(check_in_status(check_in))) return fail(check_in, at);
    if (check_in_status(check_in) == CheckInStatus::ok) succeed(at);
  }

 private:
  void fail(schema::CheckInRow& check_in, Time at) {
    row_.set_failures(row_.failures() + 1);
    row_.set_successes(0);
    const auto threshold = std::max<std::uint32_t>(1, monitor_.config().failure_threshold());
    if (row_.incident_ms() == 0) {
      if (row_.failures() < threshold) return;
      row_.set_incident_ms(to_ms(at));
      row_.set_incidents(row_.incidents() + 1);
      row_.set_status(static_cast<std::uint32_t>(MonitorHealth::error));
    }
    check_in.set_incident(row_.incidents());
    if (!monitor_.muted() && !row_.muted()) tell_of_failure(batch_, monitor_, check_in, at);
  }

  void succeed(Time at) {
    row_.set_successes(row_.successes() + 1);
    row_.set_failures(0);
    const auto threshold = std::max<std::uint32_t>(1, monitor_.config().recovery_threshold());
    if (row_.incident_ms() != 0) {
      if (row_.successes() < threshold) return;
      resolve_incident(batch_, monitor_, name_, row_.incidents(), at);
      row_.set_incident_ms(0);
    }
    row_.set_status(static_cast<std::uint32_t>(MonitorHealth::ok));
  }

  buffer::Batch& batch_;
  const schema::Monitor& monitor_;
  const std::string name_;
  const Key key_;
  bool there_ = false;
  schema::MonitorEnvironment row_;
};

std::size_t count_environments(const buffer::Reader& reader, std::uint64_t monitor) {
  const auto prefix = Key().u64(monitor);
  std::size_t count = 0;
  auto cursor = reader.cursor(Table::monitor_environments);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()); there = cursor.next())
    ++count;
  return count;
}

void put_check_in(buffer::Batch& batch, const schema::CheckInRow& row) {
  put_row(batch, Table::check_ins, check_in_key(row.monitor(), row.number()), row);
}

// The newest that is in progress, among the last hundred.
std::optional<schema::CheckInRow> latest_in_progress(const buffer::Reader& reader,
                                                     std::uint64_t monitor,
                                                     std::string_view environment) {
  const auto prefix = Key().u64(monitor);
  auto cursor = reader.cursor(Table::check_ins);
  int looked_at = 0;
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()) && looked_at < 100; there = cursor.next()) {
    ++looked_at;
    auto row = buffer::parse_row<schema::CheckInRow>(cursor.value());
    if (check_in_status(row) == CheckInStatus::in_progress && row.environment() == environment) return row;
  }
  return std::nullopt;
}

std::optional<schema::CheckInRow> find_check_in(const buffer::Reader& reader, std::uint64_t project, std::string_view id) {
  const auto place = reader.get(Table::check_ins_by_id, Key().u64(project).raw(id));
  if (!place) return std::nullopt;
  KeyReader key(*place);
  const auto monitor = key.u64();
  return find_row<schema::CheckInRow>(reader, Table::check_ins, check_in_key(monitor, key.u64()));
}

schema::CheckInRow new_check_in(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view environment, std::string_view id, Time at) {
  schema::CheckInRow row;
  row.set_number(batch.next_number("check_in"));
  row.set_id(id.empty() ? std::string(raw_bytes(relay::md5_of(Key().raw("check-in").u64(monitor.id()).u64(row.number())))) : std::string(id));
  row.set_monitor(monitor.id());
  row.set_environment(std::string(environment));
  row.set_added_ms(to_ms(at));
  row.set_updated_ms(to_ms(at));
  *row.mutable_config() = monitor.config();
  batch.put(Table::check_ins_by_id, Key().u64(monitor.project()).raw(row.id()), Key().u64(monitor.id()).u64(row.number()));
  return row;
}

void forget_timeout(buffer::Batch& batch, const schema::CheckInRow& row) {
  if (row.timeout_ms() == 0) return;
  batch.remove(Table::monitor_due, due_key(row.timeout_ms(), due_timeout, row.monitor(), row.environment(), row.number()));
}

void set_duration(schema::CheckInRow& row, const std::optional<std::int64_t>& duration_ms) {
  if (!duration_ms) return;
  row.set_has_duration(true);
  row.set_duration_ms(*duration_ms);
}

// An update of a check-in that is there. What has ended stays as it ended.
void update_check_in(buffer::Batch& batch, EnvironmentState& environment, schema::CheckInRow& row, const ParsedCheckIn& update, Time at) {
  const auto before = check_in_status(row);
  if (before == CheckInStatus::timeout) {
    // Too late to be in time, but not too late to say how long it took.
    set_duration(row, update.duration_ms);
    return put_check_in(batch, row);
  }
  if (before != CheckInStatus::in_progress) return;
  row.set_updated_ms(to_ms(at));
  if (update.status != CheckInStatus::in_progress) {
    forget_timeout(batch, row);
    row.set_status(static_cast<std::uint32_t>(update.status));
    row.set_has_duration(true);
    row.set_duration_ms(std::max<std::int64_t>(0, to_ms(at) - row.added_ms()));
    environment.settle(row, at);
  }
  set_duration(row, update.duration_ms);
  put_check_in(batch, row);
}

void begin_check_in(buffer::Batch& batch, const schema::Monitor& monitor, EnvironmentState& environment, const ParsedCheckIn& check_in, Time at) {
  auto row = new_check_in(batch, monitor, check_in.environment, check_in.id, at);
  row.set_status(static_cast<std::uint32_t>(check_in.status));
  row.set_expected_ms(environment.row().next_check_in_ms());
  row.set_release(std::string(check_in.release));
  row.set_trace_id(std::string(check_in.trace_id));
  row.set_sequence(check_in.place.sequence);
  set_duration(row, check_in.duration_ms);
  if (check_in.status == CheckInStatus::in_progress) {
    row.set_in_progress_ms(to_ms(at));
    row.set_timeout_ms(whole_minutes(to_ms(at)) + max_runtime_of(monitor.config()).count());
    batch.put(Table::monitor_due, due_key(row.timeout_ms(), due_timeout, monitor.id(), check_in.environment, row.number()), "");
  } else {
    environment.settle(row, at);
  }
  put_check_in(batch, row);
}

// The monitor of a check-in: as its configuration says, when it brings one.
std::optional<schema::Monitor> monitor_of(buffer::Batch& batch, const ParsedCheckIn& check_in, Time at) {
  auto monitor = find_monitor(batch, check_in.place.project, check_in.slug);
  if (!check_in.config) return monitor;
  const bool fresh = !monitor;
  if (fresh) {
    monitor.emplace();
    monitor->set_project(check_in.place.project);
    monitor->set_slug(std::string(check_in.slug));
    monitor->set_name(std::string(check_in.slug));
    monitor->set_created_ms(to_ms(at));
  }
  const bool same = monitor->config().SerializeAsString() == check_in.config->SerializeAsString();
  if (!fresh && same && monitor->upserting()) return monitor;
  const auto rule = monitor->config().alert_rule();
  *monitor->mutable_config() = *check_in.config;
  monitor->mutable_config()->set_alert_rule(rule);
  monitor->set_upserting(true);
  if (fresh) {
    create_monitor(batch, *monitor);
  } else {
    put_monitor(batch, *monitor);
  }
  return monitor;
}

void mark_missed(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view name, Time now) {
  EnvironmentState environment(batch, monitor, name, now);
  auto& state = environment.row();
  if (!environment.there() || state.next_latest_ms() == 0) return;
  auto row = new_check_in(batch, monitor, name, {}, time_from_ms(state.next_latest_ms()));
  row.set_status(static_cast<std::uint32_t>(CheckInStatus::missed));
  row.set_expected_ms(state.next_check_in_ms());
  const auto at = time_from_ms(state.next_latest_ms());
  // One for a whole outage of ours: what should have come meanwhile could not.
  auto last = time_from_ms(state.next_check_in_ms());
  if (const auto next = next_check_in(monitor.config(), last); next && *next + margin_of(monitor.config()) <= now) last = now;
  environment.expect_after(last);
  environment.settle(row, at);
  put_check_in(batch, row);
  environment.write();
}

void mark_timeout(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view name, std::uint64_t number, Time now) {
  auto row = find_row<schema::CheckInRow>(batch, Table::check_ins, check_in_key(monitor.id(), number));
  if (!row || check_in_status(*row) != CheckInStatus::in_progress) return;
  EnvironmentState environment(batch, monitor, name, now);
  row->set_status(static_cast<std::uint32_t>(CheckInStatus::timeout));
  row->set_updated_ms(row->timeout_ms());
  environment.settle(*row, time_from_ms(row->timeout_ms()));
  put_check_in(batch, *row);
  environment.write();
}

}  // namespace

std::string_view wire_name(CheckInStatus status) {
  switch (status) {
    case CheckInStatus::unknown: return "unknown";
    case CheckInStatus::ok: return "ok";
    case CheckInStatus::error: return "error";
    case CheckInStatus::in_progress: return "in_progress";
    case CheckInStatus::missed: return "missed";
    case CheckInStatus::timeout: return "timeout";
  }
  std::abort();
}

std::optional<CheckInStatus> parse_check_in_status(std::string_view word) {
  for (const auto status : {CheckInStatus::ok, CheckInStatus::error, CheckInStatus::in_progress}) {
    if (wire_name(status) == word) return status;
  }
  return std::nullopt;
}

Fate take_check_in(buffer::Batch& batch, const ParsedCheckIn& check_in) {
  const auto at = time_from_ms(check_in.place.received_ms);
  constexpr std::size_t most_before = 10'000;
  mark_due(batch, at, most_before);
  const auto monitor = monitor_of(batch, check_in, at);
  if (!monitor) return {Outcome::invalid, "monitor_not_found"};
  if (monitor->status() != 0) return {Outcome::filtered, "monitor_disabled"};
  EnvironmentState environment(batch, *monitor, check_in.environment, at);
  if (!environment.there() && count_environments(batch, monitor->id()) >= most_environments)
    return {Outcome::invalid, "too_many_monitor_environments"};
  auto known = check_in.id.empty() ? latest_in_progress(batch, monitor->id(), check_in.environment)
                                   : find_check_in(batch, check_in.place.project, check_in.id);
  if (known && (known->monitor() != monitor->id() || known->environment() != check_in.environment))
    return {Outcome::invalid, "invalid_check_in"};
  if (known) {
    update_check_in(batch, environment, *known, check_in, at);
  } else {
    begin_check_in(batch, *monitor, environment, check_in, at);
  }
  environment.row().set_last_check_in_ms(std::max<std::int64_t>(environment.row().last_check_in_ms(), to_ms(at)));
  environment.expect_after(at);
  environment.write();
  return {};
}

std::size_t mark_due(buffer::Batch& batch, Time now, std::size_t most) {
  std::size_t marked = 0;
  const auto until = Key().u64(static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(now))) + 1);
  while (marked < most && !batch.failed()) {
    auto cursor = batch.cursor(Table::monitor_due);
    if (!cursor.first() || cursor.key() >= until.view()) break;
    const std::string entry(cursor.key());
    KeyReader key(entry);
    key.u64();
    const auto kind = key.u8();
    const auto id = key.u64();
    const std::string environment(key.text());
    const auto number = key.u64();
    batch.remove(Table::monitor_due, entry);
    const auto monitor = find_row<schema::Monitor>(batch, Table::monitors, Key().u64(id));
    if (!monitor) continue;
    ++marked;
    if (kind == due_missed) mark_missed(batch, *monitor, environment, now);
    if (kind == due_timeout) mark_timeout(batch, *monitor, environment, number, now);
  }
  return marked;
}

bool anything_due(const buffer::Reader& reader, Time now) {
  auto cursor = reader.cursor(Table::monitor_due);
  return cursor.first() && KeyReader(cursor.key()).u64() <= static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(now)));
}

void create_monitor(buffer::Batch& batch, schema::Monitor& monitor) {
  monitor.set_id(batch.next_number("monitor"));
  put_monitor(batch, monitor);
  batch.put(Table::monitors_by_slug, Key().u64(monitor.project()).text(monitor.slug()), Key().u64(monitor.id()));
}

std::optional<schema::Monitor> find_monitor(const buffer::Reader& reader, std::uint64_t project, std::string_view slug) {
  const auto id = reader.get(Table::monitors_by_slug, Key().u64(project).text(slug));
  return id ? find_row<schema::Monitor>(reader, Table::monitors, *id) : std::nullopt;
}

void put_monitor(buffer::Batch& batch, const schema::Monitor& monitor) {
  put_row(batch, Table::monitors, Key().u64(monitor.id()), monitor);
}

void expect_anew(buffer::Batch& batch, const schema::Monitor& monitor, Time now) {
  const auto prefix = Key().u64(monitor.id());
  std::vector<std::string> names;
  auto cursor = batch.cursor(Table::monitor_environments);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()); there = cursor.next())
    names.emplace_back(KeyReader(cursor.key().substr(prefix.size())).text());
  for (const auto& name : names) {
    EnvironmentState environment(batch, monitor, name, now);
    environment.expect_after(now);
    environment.write();
  }
}

void delete_monitor(buffer::Batch& batch, const schema::Monitor& monitor, std::string_view environment) {
  const auto prefix = Key().u64(monitor.id());
  std::vector<std::string> doomed;
  auto rows = batch.cursor(Table::check_ins);
  std::vector<schema::CheckInRow> check_ins;
  for (bool there = rows.seek(prefix); there && rows.key().starts_with(prefix.view()); there = rows.next()) {
    auto row = buffer::parse_row<schema::CheckInRow>(rows.value());
    if (environment.empty() || row.environment() == environment) check_ins.push_back(std::move(row));
  }
  for (const auto& row : check_ins) {
    forget_timeout(batch, row);
    batch.remove(Table::check_ins_by_id, Key().u64(monitor.project()).raw(row.id()));
    batch.remove(Table::check_ins, check_in_key(monitor.id(), row.number()));
  }
  auto cursor = batch.cursor(Table::monitor_environments);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix.view()); there = cursor.next()) {
    const auto name = KeyReader(cursor.key().substr(prefix.size())).text();
    if (environment.empty() || name == environment) doomed.emplace_back(name);
  }
  for (const auto& name : doomed) {
    EnvironmentState state(batch, monitor, name, Time());
    state.forget_expected();
    batch.remove(Table::monitor_environments, environment_key(monitor.id(), name));
  }
  if (!environment.empty()) return;
  batch.remove(Table::monitors_by_slug, Key().u64(monitor.project()).text(monitor.slug()));
  batch.remove(Table::monitors, Key().u64(monitor.id()));
}

}  // namespace picket::digest

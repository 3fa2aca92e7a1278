#include "api/rest/monitor_shapes.h"

#include "api/digest/item_reader.h"
#include "api/digest/monitor_incident.h"
#include "api/digest/monitor_schedule.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <charconv>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;
using digest::ScheduleType;

constexpr std::int64_t most_minutes = 40'320;
constexpr std::int64_t most_threshold = 720;

json::value number_or_null(std::uint64_t number) {
  return number == 0 ? json::value(nullptr) : json::value(number);
}

// [1, "day"] as Sentry has it.
json::value render_schedule(const schema::MonitorConfig& config) {
  if (config.schedule_type() == static_cast<std::uint32_t>(ScheduleType::interval))
    return json::array{config.interval_count(), json::string(config.interval_unit())};
  return json::string(config.crontab());
}

json::object render_config(const schema::MonitorConfig& config) {
  const bool interval = config.schedule_type() == static_cast<std::uint32_t>(ScheduleType::interval);
  return {
      {"schedule_type", interval ? "interval" : "crontab"},
      {"schedule", render_schedule(config)},
      {"checkin_margin", number_or_null(config.checkin_margin_min())},
      {"max_runtime", number_or_null(config.max_runtime_min())},
      {"timezone", text_or_null(config.timezone())},
      {"failure_issue_threshold", number_or_null(config.failure_threshold())},
      {"recovery_threshold", number_or_null(config.recovery_threshold())},
      {"alert_rule_id", number_or_null(config.alert_rule())},
  };
}

std::string_view health_name(std::uint32_t status) {
  switch (static_cast<digest::MonitorHealth>(status)) {
    case digest::MonitorHealth::ok: return "ok";
    case digest::MonitorHealth::error: return "error";
    case digest::MonitorHealth::active: break;
  }
  return "active";
}

json::value render_incident(const schema::MonitorEnvironment& row) {
  if (row.incident_ms() == 0) return nullptr;
  return json::object{{"startingTimestamp", render_time(row.incident_ms())},
                      {"resolvingTimestamp", nullptr},
                      {"brokenNotice", nullptr}};
}

json::object render_environment(const schema::Monitor& monitor, std::string_view name, const schema::MonitorEnvironment& row) {
  return {
      {"name", name},
      {"status", monitor.status() != 0 ? std::string_view("disabled") : health_name(row.status())},
      {"isMuted", row.muted() || monitor.muted()},
      {"dateCreated", render_time(row.created_ms())},
      {"lastCheckIn", render_time(row.last_check_in_ms())},
      {"nextCheckIn", render_time(row.next_check_in_ms())},
      {"nextCheckInLatest", render_time(row.next_latest_ms())},
      {"activeIncident", render_incident(row)},
  };
}

json::value render_owner(const buffer::Reader& reader, const schema::Monitor& monitor) {
  if (monitor.owner_user() != 0) {
    const auto user = find_row<schema::User>(reader, Table::users, Key().u64(monitor.owner_user()));
    if (!user) return nullptr;
    const auto& name = user->name().empty() ? user->username() : user->name();
    return json::object{{"type", "user"}, {"id", std::to_string(user->id())}, {"name", name}, {"email", user->email()}};
  }
  if (monitor.owner_team() == 0) return nullptr;
  const auto team = find_row<schema::Team>(reader, Table::teams, Key().u64(monitor.owner_team()));
  if (!team) return nullptr;
  return json::object{{"type", "team"}, {"id", std::to_string(team->id())}, {"name", team->slug()}};
}

std::optional<std::uint64_t> id_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return parse_id(text.substr(prefix.size()));
}

void read_owner(const buffer::Reader& reader, std::uint64_t organization, Fields& fields, schema::Monitor& monitor) {
  if (fields.is_null("owner")) {
    monitor.clear_owner_user();
    monitor.clear_owner_team();
    return;
  }
  const auto owner = fields.text("owner");
  if (!owner) return;
  if (const auto user = id_after(*owner, "user:"); user && find_membership(reader, organization, *user)) {
    monitor.set_owner_user(*user);
    monitor.clear_owner_team();
    return;
  }
  if (const auto team = id_after(*owner, "team:"); team && find_team(reader, organization, std::to_string(*team))) {
    monitor.set_owner_team(*team);
    monitor.clear_owner_user();
    return;
  }
  fields.fail("owner", "User or team does not exist or is not part of this organization.");
}

// The object `config` of the body, member by member.
class ConfigReader {
 public:
  ConfigReader(const json::object& body, Fields& fields, schema::MonitorConfig& config)
      : body_(body), fields_(fields), config_(config) {}

  void read() {
    read_schedule();
    number("checkin_margin", most_minutes, [this](std::uint32_t n) { config_.set_checkin_margin_min(n); });
    number("max_runtime", most_minutes, [this](std::uint32_t n) { config_.set_max_runtime_min(n); });
    number("failure_issue_threshold", most_threshold, [this](std::uint32_t n) { config_.set_failure_threshold(n); });
    number("recovery_threshold", most_threshold, [this](std::uint32_t n) { config_.set_recovery_threshold(n); });
    if (const auto* zone = body_.if_contains("timezone"); zone != nullptr && !zone->is_null()) {
      const bool known = zone->is_string() && TimeZone::find(std::string_view(zone->as_string()));
      if (!known) return fail("timezone", "Invalid timezone.");
      config_.set_timezone(std::string(zone->as_string()));
    }
  }

 private:
  void fail(std::string_view name, std::string_view words) {
    fields_.fail("config", std::string(name) + ": " + std::string(words));
  }

  template <class Set>
  void number(std::string_view name, std::int64_t most, Set set) {
    const auto* value = body_.if_contains(name);
    if (value == nullptr) return;
    if (value->is_null()) return set(0);
    const auto whole = value->is_int64() ? value->as_int64() : std::int64_t{0};
    if (whole < 1 || whole > most) return fail(name, "Ensure this value is between 1 and " + std::to_string(most) + ".");
    set(static_cast<std::uint32_t>(whole));
  }

  void read_schedule() {
    const auto* schedule = body_.if_contains("schedule");
    const auto* type = body_.if_contains("schedule_type");
    auto kind = static_cast<ScheduleType>(config_.schedule_type());
    if (type != nullptr && !type->is_null()) {
      if (!type->is_string()) return fail("schedule_type", "Not a valid string.");
      if (type->as_string() == "crontab") kind = ScheduleType::crontab;
      else if (type->as_string() == "interval") kind = ScheduleType::interval;
      else return fail("schedule_type", "\"" + std::string(type->as_string()) + "\" is not a valid choice.");
    } else if (schedule != nullptr && kind == ScheduleType::none) {
      kind = schedule->is_array() ? ScheduleType::interval : ScheduleType::crontab;
    }
    if (schedule == nullptr) {
      if (static_cast<std::uint32_t>(kind) != config_.schedule_type()) fail("schedule", "This field is required.");
      return;
    }
    config_.set_schedule_type(static_cast<std::uint32_t>(kind));
    if (kind == ScheduleType::crontab) return read_crontab(*schedule);
    read_interval(*schedule);
  }

  void read_crontab(const json::value& schedule) {
    if (!schedule.is_string()) return fail("schedule", "Invalid schedule for schedule_type crontab");
    const std::string text(schedule.as_string());
    if (!digest::Crontab::parse(text)) return fail("schedule", "Schedule was not parseable");
    config_.set_crontab(text);
    config_.clear_interval_count();
    config_.clear_interval_unit();
  }

  void read_interval(const json::value& schedule) {
    const auto* pair = schedule.if_array();
    const bool shaped = pair != nullptr && pair->size() == 2 && (*pair)[0].is_int64() && (*pair)[1].is_string();
    if (!shaped) return fail("schedule", "Invalid value for schedule_type interval");
    const auto count = (*pair)[0].as_int64();
    const std::string unit((*pair)[1].as_string());
    if (!digest::is_interval_unit(unit)) return fail("schedule", "Invalid value for schedule unit name (index 1)");
    if (count < 1 || count > 100'000) return fail("schedule", "Invalid value for schedule unit count (index 0)");
    config_.set_interval_count(static_cast<std::uint32_t>(count));
    config_.set_interval_unit(unit);
    config_.clear_crontab();
  }

  const json::object& body_;
  Fields& fields_;
  schema::MonitorConfig& config_;
};

}  // namespace

json::object render_monitor(const buffer::Reader& reader,
                            const OrganizationView& view,
                            const schema::Monitor& monitor,
                            const std::vector<std::string_view>& environments) {
  json::array shown;
  for_each(reader, Table::monitor_environments, Key().u64(monitor.id()), [&](std::string_view rest, std::string_view value) {
    const auto name = KeyReader(rest).text();
    if (!environments.empty() && std::ranges::find(environments, name) == environments.end()) return true;
    shown.push_back(render_environment(monitor, name, buffer::parse_row<schema::MonitorEnvironment>(value)));
    return true;
  });
  const auto* project = view.find_project(monitor.project());
  return {
      {"id", std::to_string(monitor.id())},
      {"name", monitor.name().empty() ? monitor.slug() : monitor.name()},
      {"slug", monitor.slug()},
      {"status", monitor.status() == 0 ? "active" : "disabled"},
      {"isMuted", monitor.muted()},
      {"isUpserting", monitor.upserting()},
      {"config", render_config(monitor.config())},
      {"dateCreated", render_time(monitor.created_ms())},
      {"project", project == nullptr ? json::value(nullptr) : json::value(render_project(view, *project))},
      {"owner", render_owner(reader, monitor)},
      {"environments", std::move(shown)},
  };
}

json::object render_check_in(const buffer::Reader& reader,
                             const schema::Monitor& monitor,
                             const schema::CheckInRow& check_in) {
  json::array groups;
  if (const auto issue = digest::incident_issue(reader, monitor, check_in.environment(), check_in.incident()); issue != 0)
    groups.push_back(json::object{{"id", issue}});
  const auto id = relay::render_hex(check_in.id());
  std::string hyphenated;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) hyphenated += '-';
    hyphenated += id[i];
  }
  const auto added = render_time(check_in.added_ms());
  json::array issues;
  for (const auto& group : groups)
    issues.emplace_back(std::to_string(group.at("id").to_number<std::uint64_t>()));
  return {
      {"id", hyphenated},
      {"environment", check_in.environment()},
      {"status", digest::wire_name(static_cast<digest::CheckInStatus>(check_in.status()))},
      {"duration", check_in.has_duration() ? json::value(check_in.duration_ms()) : json::value(nullptr)},
      {"dateCreated", added},
      {"dateAdded", added},
      {"dateUpdated", render_time(check_in.updated_ms())},
      {"dateInProgress", render_time(check_in.in_progress_ms())},
      {"dateClock", added},
      {"expectedTime", check_in.expected_ms() != 0 ? render_time(check_in.expected_ms()) : added},
      {"monitorConfig", render_config(check_in.config())},
      {"groups", std::move(issues)},
  };
}

std::optional<std::string> read_monitor(const buffer::Reader& reader,
                                        std::uint64_t organization,
                                        Fields& fields,
                                        schema::Monitor& monitor) {
  if (const auto name = fields.text("name", {.most = 128})) monitor.set_name(*name);
  if (const auto muted = fields.flag("is_muted")) monitor.set_muted(*muted);
  if (const auto muted = fields.flag("isMuted")) monitor.set_muted(*muted);
  if (const auto status = fields.text("status")) {
    if (*status == "active") monitor.set_status(0);
    else if (*status == "disabled") monitor.set_status(1);
    else fields.fail("status", "\"" + *status + "\" is not a valid choice.");
  }
  read_owner(reader, organization, fields, monitor);
  if (const auto* config = fields.object("config")) ConfigReader(*config, fields, *monitor.mutable_config()).read();
  auto slug = fields.text("slug", {.most = 50});
  if (slug && digest::monitor_slug(*slug) != *slug) {
    fields.fail("slug", "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens.");
  } else if (slug && parse_id(*slug)) {
    fields.fail("slug", "Enter a slug that is not entirely numeric.");
  }
  return slug;
}

}  // namespace picket::rest

// Monitors and their check-ins: by organization and, with the same answers, by project.
#include "api/digest/monitor_schedule.h"
#include "api/digest/item_reader.h"
#include "api/rest/changes.h"
#include "api/rest/monitor_shapes.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Batch;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;
using digest::CheckInStatus;

std::vector<std::string_view> named_environments(const Call& call) {
  std::vector<std::string_view> names;
  for (const auto name : call.query.all("environment")) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

bool has_environment(const buffer::Reader& reader, const schema::Monitor& monitor, const std::vector<std::string_view>& names) {
  return std::ranges::any_of(names, [&](std::string_view name) {
    return reader.get(Table::monitor_environments, Key().u64(monitor.id()).text(name)).has_value();
  });
}

bool is_among(const std::vector<schema::Project>& projects, std::uint64_t id) {
  return std::ranges::any_of(projects, [&](const schema::Project& project) { return project.id() == id; });
}

// The {monitor_id_or_slug} of the path, within its project when it names one.
std::optional<schema::Monitor> find_path_monitor(const buffer::Reader& reader, const Call& call) {
  const auto name = call.path_text("monitor_id_or_slug");
  const auto projects = call.project ? std::vector{*call.project} : projects_of(reader, call.organization->id());
  if (const auto id = parse_id(name)) {
    auto monitor = find_row<schema::Monitor>(reader, Table::monitors, Key().u64(*id));
    if (monitor && is_among(projects, monitor->project())) return monitor;
  }
  for (const auto& project : projects) {
    if (auto monitor = digest::find_monitor(reader, project.id(), name)) return monitor;
  }
  return std::nullopt;
}

std::string owner_text(const schema::Monitor& monitor) {
  if (monitor.owner_user() != 0) return "user:" + std::to_string(monitor.owner_user());
  if (monitor.owner_team() != 0) return "team:" + std::to_string(monitor.owner_team());
  return "unassigned";
}

Reply list_monitors(Api& api, const Call& call) {
  const auto selected = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
  const auto& projects = std::get<std::vector<schema::Project>>(selected);
  const auto page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&page)) return *refusal;
  const auto& [value, offset, previous, per_page] = std::get<Page>(page);
  const auto environments = named_environments(call);
  const auto owners = call.query.all("owner");
  const auto query = call.query.text("query");
  const auto snapshot = api.tables.snapshot();
  std::vector<schema::Monitor> found;
  for_each(snapshot, Table::monitors, {}, [&](std::string_view, std::string_view bytes) {
    auto monitor = buffer::parse_row<schema::Monitor>(bytes);
    const bool fits = is_among(projects, monitor.project()) &&
                      (environments.empty() || has_environment(snapshot, monitor, environments)) &&
                      (owners.empty() || std::ranges::find(owners, owner_text(monitor)) != owners.end()) &&
                      (contains_text(monitor.name(), query) || contains_text(monitor.slug(), query));
    if (fits) found.push_back(std::move(monitor));
    return true;
  });
  // Those in trouble first, then by name.
  std::map<std::uint64_t, bool> in_trouble;
  for (const auto& monitor : found) {
    for_each(snapshot, Table::monitor_environments, Key().u64(monitor.id()), [&](std::string_view, std::string_view bytes) {
      in_trouble[monitor.id()] |= buffer::parse_row<schema::MonitorEnvironment>(bytes).incident_ms() != 0;
      return true;
    });
  }
  std::ranges::sort(found, [&](const schema::Monitor& a, const schema::Monitor& b) {
    return std::tuple(!in_trouble[a.id()], a.name(), a.id()) < std::tuple(!in_trouble[b.id()], b.name(), b.id());
  });
  const OrganizationView view(snapshot, api, call);
  const auto from = std::min<std::size_t>(offset, found.size());
  const auto to = std::min(from + per_page, found.size());
  json::array list;
  for (auto i = from; i < to; ++i)
    list.push_back(render_monitor(snapshot, view, found[i], environments));
  auto reply = Reply::json(std::move(list));
  reply.headers.set("X-Hits", std::to_string(found.size()));
  add_links(reply, api, call, std::get<Page>(page), to - from, to < found.size());
  return reply;
}

Reply shown(Api& api, const Call& call, const schema::Monitor& monitor, unsigned status = 200) {
  const auto snapshot = api.tables.snapshot();
  return Reply::json(render_monitor(snapshot, OrganizationView(snapshot, api, call), monitor, named_environments(call)), status);
}

Reply get_monitor(Api& api, const Call& call) {
  const auto monitor = find_path_monitor(api.tables.snapshot(), call);
  return monitor ? shown(api, call, *monitor) : Reply::not_found();
}

// A slug from the name, with a number when that is taken.
std::string free_monitor_slug(const buffer::Reader& reader, std::uint64_t project, std::string_view name) {
  auto wanted = digest::monitor_slug(name);
  if (wanted.empty() || parse_id(wanted)) wanted = "monitor";
  auto slug = wanted;
  for (int number = 2; digest::find_monitor(reader, project, slug); ++number) {
    const auto suffix = "-" + std::to_string(number);
    slug = wanted.substr(0, 50 - suffix.size()) + suffix;
  }
  return slug;
}

constexpr std::string_view slug_taken_words = "Monitor with this slug already exists.";

std::optional<Reply> wrong_project(Fields& fields, const buffer::Reader& reader, const Call& call, schema::Monitor& monitor) {
  const auto named = fields.text("project");
  const auto project = named ? find_project(reader, call.organization->id(), *named) : std::nullopt;
  if (!named || !project) fields.fail("project", named ? "Invalid project" : "This field is required.");
  if (project) monitor.set_project(project->id());
  return fields.refusal();
}

Reply create(Api& api, const Call& call) {
  Fields fields(call);
  schema::Monitor monitor;
  const auto snapshot = api.tables.snapshot();
  if (!fields.has("name")) fields.fail("name", "This field is required.");
  if (fields.object("config") == nullptr) fields.fail("config", "This field is required.");
  const auto slug = read_monitor(snapshot, call.organization->id(), fields, monitor);
  if (monitor.config().schedule_type() == 0 && !fields.refusal()) fields.fail("config", "schedule: This field is required.");
  if (auto refusal = wrong_project(fields, snapshot, call, monitor)) return *std::move(refusal);
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (slug && digest::find_monitor(batch, monitor.project(), *slug)) return Reply::field_error("slug", slug_taken_words);
    monitor.set_slug(slug ? *slug : free_monitor_slug(batch, monitor.project(), monitor.name()));
    if (monitor.config().timezone().empty()) monitor.mutable_config()->set_timezone("UTC");
    monitor.set_created_ms(to_ms(api.clock.now()));
    digest::create_monitor(batch, monitor);
    return std::nullopt;
  });
  return refusal ? *refusal : shown(api, call, monitor, 201);
}

Reply update(Api& api, const Call& call) {
  Fields fields(call);
  std::optional<schema::Monitor> monitor;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    monitor = find_path_monitor(batch, call);
    if (!monitor) return Reply::not_found();
    const auto before = *monitor;
    const auto slug = read_monitor(batch, call.organization->id(), fields, *monitor);
    if (auto wrong = fields.refusal()) return *std::move(wrong);
    if (slug && *slug != before.slug()) {
      if (digest::find_monitor(batch, monitor->project(), *slug)) return Reply::field_error("slug", slug_taken_words);
      batch.remove(Table::monitors_by_slug, Key().u64(before.project()).text(before.slug()));
      batch.put(Table::monitors_by_slug, Key().u64(monitor->project()).text(*slug), Key().u64(monitor->id()));
      monitor->set_slug(*slug);
    }
    // What people set here is no longer what the code says, until it says something else.
    const bool rescheduled = before.config().SerializeAsString() != monitor->config().SerializeAsString();
    if (rescheduled) monitor->set_upserting(false);
    digest::put_monitor(batch, *monitor);
    if (rescheduled || before.status() != monitor->status()) digest::expect_anew(batch, *monitor, api.clock.now());
    return std::nullopt;
  });
  return refusal ? *refusal : shown(api, call, *monitor);
}

Reply remove(Api& api, const Call& call) {
  const auto environments = named_environments(call);
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto monitor = find_path_monitor(batch, call);
    if (!monitor) return Reply::not_found();
    if (!environments.empty() && !has_environment(batch, *monitor, environments)) return Reply::not_found();
    if (environments.empty()) digest::delete_monitor(batch, *monitor);
    for (const auto name : environments)
      digest::delete_monitor(batch, *monitor, name);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none(202);
}

// PUT {"isMuted"} of one environment.
Reply update_environment(Api& api, const Call& call) {
  Fields fields(call);
  auto muted = fields.flag("isMuted");
  if (!muted) muted = fields.flag("is_muted");
  if (auto refusal = fields.refusal()) return *std::move(refusal);
  std::optional<schema::Monitor> monitor;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    monitor = find_path_monitor(batch, call);
    if (!monitor) return Reply::not_found();
    const auto key = Key().u64(monitor->id()).text(call.path_text("environment"));
    auto row = find_row<schema::MonitorEnvironment>(batch, Table::monitor_environments, key);
    if (!row) return Reply::not_found();
    if (muted) row->set_muted(*muted);
    buffer::put_row(batch, Table::monitor_environments, key, *row);
    return std::nullopt;
  });
  return refusal ? *refusal : shown(api, call, *monitor);
}

Reply delete_environment(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto monitor = find_path_monitor(batch, call);
    const auto name = call.path_text("environment");
    if (!monitor || !has_environment(batch, *monitor, {name})) return Reply::not_found();
    digest::delete_monitor(batch, *monitor, name);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none(202);
}

// Calls `visit` with the monitor's check-ins in the time and environments asked for, newest first.
template <class Visit>
void for_each_check_in(const buffer::Reader& reader, const Call& call, const schema::Monitor& monitor, const std::optional<Period>& period, Visit visit) {
  const auto environments = named_environments(call);
  for_each(reader, Table::check_ins, Key().u64(monitor.id()), [&](std::string_view, std::string_view bytes) {
    const auto row = buffer::parse_row<schema::CheckInRow>(bytes);
    if (!environments.empty() && std::ranges::find(environments, row.environment()) == environments.end()) return true;
    if (period && (row.added_ms() < to_ms(period->from) || row.added_ms() > to_ms(period->to))) return true;
    return visit(row);
  });
}

Reply list_check_ins(Api& api, const Call& call) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const auto monitor = find_path_monitor(snapshot, call);
  if (!monitor) return Reply::not_found();
  json::array list;
  std::size_t seen = 0;
  bool more = false;
  for_each_check_in(snapshot, call, *monitor, std::get<std::optional<Period>>(period), [&](const schema::CheckInRow& row) {
    if (seen++ < page.offset) return true;
    more = list.size() == page.per_page;
    if (!more) list.push_back(render_check_in(snapshot, *monitor, row));
    return !more;
  });
  const auto count = list.size();
  auto reply = Reply::json(std::move(list));
  add_links(reply, api, call, page, count, more);
  return reply;
}

// How many check-ins ended how, an hour each: [{"ts", "ok", "error", "missed", "timeout", …}].
Reply monitor_stats(Api& api, const Call& call) {
  constexpr std::int64_t hour_ms = 3'600'000;
  constexpr std::int64_t most_points = 2'200;
  const auto now = api.clock.now();
  const auto parsed = parse_period(call.query, now);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& given = std::get<std::optional<Period>>(parsed);
  const Period period = given ? *given : Period{now - Duration(24 * hour_ms), now};
  const auto snapshot = api.tables.snapshot();
  const auto monitor = find_path_monitor(snapshot, call);
  if (!monitor) return Reply::not_found();
  const auto last = to_ms(period.to) / hour_ms;
  const auto first = std::max(to_ms(period.from) / hour_ms, last - most_points);
  struct Hour {
    std::array<std::uint64_t, 6> counts{};
    std::int64_t duration_sum_ms = 0;
    std::uint64_t durations = 0;
  };
  std::map<std::int64_t, Hour> hours;
  for_each_check_in(snapshot, call, *monitor, period, [&](const schema::CheckInRow& row) {
    auto& hour = hours[row.added_ms() / hour_ms];
    if (row.status() < hour.counts.size()) ++hour.counts[row.status()];
    if (row.has_duration()) {
      hour.duration_sum_ms += row.duration_ms();
      ++hour.durations;
    }
    return true;
  });
  json::array list;
  for (auto at = first; at <= last; ++at) {
    const auto& hour = hours[at];
    json::object point{{"ts", at * 3600}};
    for (const auto status : {CheckInStatus::in_progress, CheckInStatus::ok, CheckInStatus::error, CheckInStatus::missed, CheckInStatus::timeout, CheckInStatus::unknown})
      point[digest::wire_name(status)] = hour.counts[static_cast<std::size_t>(status)];
    point["duration"] = hour.durations == 0 ? 0.0 : static_cast<double>(hour.duration_sum_ms) / static_cast<double>(hour.durations);
    list.push_back(std::move(point));
  }
  return Reply::json(std::move(list));
}

void add_routes(std::vector<Route>& routes, const std::string_view (&paths)[4]) {
  const std::vector<std::string_view> read{"alerts:read", "project:read"};
  const std::vector<std::string_view> write{"alerts:write", "project:write"};
  routes.push_back({"GET", paths[0], read, get_monitor});
  routes.push_back({"PUT", paths[0], write, update});
  routes.push_back({"DELETE", paths[0], write, remove});
  routes.push_back({"GET", paths[1], read, list_check_ins});
  routes.push_back({"GET", paths[2], read, monitor_stats});
  routes.push_back({"PUT", paths[3], write, update_environment});
  routes.push_back({"DELETE", paths[3], write, delete_environment});
}

constexpr std::string_view of_organization[4] = {
    "/api/0/organizations/{organization_id_or_slug}/monitors/{monitor_id_or_slug}/",
    "/api/0/organizations/{organization_id_or_slug}/monitors/{monitor_id_or_slug}/checkins/",
    "/api/0/organizations/{organization_id_or_slug}/monitors/{monitor_id_or_slug}/stats/",
    "/api/0/organizations/{organization_id_or_slug}/monitors/{monitor_id_or_slug}/environments/{environment}/",
};
constexpr std::string_view of_project[4] = {
    "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/monitors/{monitor_id_or_slug}/",
    "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/monitors/{monitor_id_or_slug}/checkins/",
    "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/monitors/{monitor_id_or_slug}/stats/",
    "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/monitors/{monitor_id_or_slug}/environments/{environment}/",
};

}  // namespace

std::vector<Route> monitor_routes() {
  constexpr std::string_view all = "/api/0/organizations/{organization_id_or_slug}/monitors/";
  std::vector<Route> routes{
      {"GET", all, {"alerts:read", "org:read"}, list_monitors},
      {"POST", all, {"alerts:write", "org:read"}, create},
  };
  add_routes(routes, of_organization);
  add_routes(routes, of_project);
  return routes;
}

}  // namespace picket::rest

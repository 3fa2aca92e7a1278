// Release health as a time series: GET organizations/{org}/sessions/.
#include "api/query/pattern.h"
#include "api/query/condition.h"
#include "api/rest/session_cells.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Table;
using digest::UserKind;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;
constexpr std::size_t most_points = 10'000;

enum class Measure : std::uint8_t { sessions, users, duration, rate };
enum class Average : std::uint8_t { mean, quantile, greatest };

struct Field {
  std::string text;
  Measure measure = Measure::sessions;
  Average average = Average::mean;
  double share = 0;                           // of a quantile
  ShownStatus status = ShownStatus::crashed;  // of a rate
  bool free = false;                          // 1 - rate
  bool of_users = false;
  bool always_null = false;                   // nothing here measures it
};

std::optional<Field> parse_field(std::string_view text) {
  Field field;
  field.text = text;
  if (text == "sum(session)") return field;
  field.measure = Measure::users;
  if (text == "count_unique(user)") return field;
  field.measure = Measure::rate;
  if (text == "anr_rate()" || text == "foreground_anr_rate()") {
    field.always_null = true;
    return field;
  }
  const auto open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return std::nullopt;
  const auto name = text.substr(0, open);
  const auto argument = text.substr(open + 1, text.size() - open - 2);
  if (argument == "session" || argument == "user") {
    field.of_users = argument == "user";
    for (const auto& [prefix, status] : {std::pair{std::string_view("crash"), ShownStatus::crashed},
                                         {"abnormal", ShownStatus::abnormal},
                                         {"errored", ShownStatus::errored},
                                         {"unhandled", ShownStatus::unhandled}}) {
      if (!name.starts_with(prefix)) continue;
      field.status = status;
      field.free = name.substr(prefix.size()) == "_free_rate";
      if (field.free || name.substr(prefix.size()) == "_rate") return field;
    }
    return std::nullopt;
  }
  if (argument != "session.duration") return std::nullopt;
  field.measure = Measure::duration;
  if (name == "avg") return field;
  field.average = Average::greatest;
  if (name == "max") return field;
  field.average = Average::quantile;
  for (const auto& [known, share] : {std::pair{std::string_view("p50"), 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}}) {
    if (name != known) continue;
    field.share = share;
    return field;
  }
  return std::nullopt;
}

// release:…, environment:…, project:… of the query.
struct Filter {
  std::string key;
  std::vector<query::Pattern> values;
  bool negated = false;
};

struct Request {
  std::vector<schema::Project> projects;
  std::vector<Field> fields;
  bool by_project = false;
  bool by_release = false;
  bool by_environment = false;
  bool by_status = false;
  std::vector<std::string> environments;
  std::vector<Filter> filters;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::int64_t interval_ms = hour_ms;
  std::optional<std::size_t> order;  // index of the field
  bool descending = false;
  bool totals = true;
  bool series = true;
  std::size_t per_page = 0;  // 0: as many as there is room for

  std::size_t points() const { return static_cast<std::size_t>((to_ms - from_ms) / interval_ms); }
  std::size_t point_of(std::int64_t at_ms) const { return static_cast<std::size_t>((at_ms - from_ms) / interval_ms); }
  bool wants_users() const {
    return std::ranges::any_of(fields, [](const Field& field) { return field.measure == Measure::users || field.of_users; });
  }
};

std::optional<std::int64_t> parse_interval(std::string_view text) {
  std::int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  if (read.ec != std::errc() || count <= 0 || count > 1'000'000) return std::nullopt;
  if (unit == "s" || unit.empty()) return count * 1000;
  if (unit == "m") return count * 60'000;
  if (unit == "h") return count * hour_ms;
  if (unit == "d") return count * day_ms;
  if (unit == "w") return count * 7 * day_ms;
  return std::nullopt;
}

std::optional<Reply> read_fields(const Call& call, Request& request) {
  const auto names = call.query.all("field");
  if (names.empty()) return Reply::error(400, "Request is missing a \"field\"");
  for (const auto name : names) {
    const auto field = parse_field(name);
    if (!field) return Reply::error(400, "Invalid field: \"" + std::string(name) + "\"");
    if (request.fields.size() < 20) request.fields.push_back(*field);
  }
  for (const auto by : call.query.all("groupBy")) {
    if (by == "project") request.by_project = true;
    else if (by == "release") request.by_release = true;
    else if (by == "environment") request.by_environment = true;
    else if (by == "session.status") request.by_status = true;
    else return Reply::error(400, "Invalid groupBy: \"" + std::string(by) + "\"");
  }
  for (const auto& field : request.fields) {
    if (request.by_status && field.measure == Measure::rate)
      return Reply::error(400, "Cannot group field " + field.text + " by session.status");
  }
  auto order = call.query.text("orderBy");
  if (order.empty()) return std::nullopt;
  request.descending = order.starts_with('-');
  if (request.descending) order.remove_prefix(1);
  const auto named = std::ranges::find(request.fields, order, &Field::text);
  if (named == request.fields.end()) return Reply::error(400, "'orderBy' must be one of the provided 'fields'");
  if (request.by_status) return Reply::error(400, "Cannot use 'orderBy' when grouping by sessions.status");
  request.order = static_cast<std::size_t>(named - request.fields.begin());
  return std::nullopt;
}

std::optional<Reply> read_range(Api& api, const Call& call, Request& request) {
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  if (const auto text = call.query.text("interval"); !text.empty()) {
    const auto interval = parse_interval(text);
    if (!interval) return Reply::error(400, "Invalid interval");
    if (*interval > day_ms) return Reply::error(400, "The interval has to be less than one day.");
    if (*interval < hour_ms || *interval % hour_ms != 0)
      return Reply::error(400, "The interval has to be a multiple of the minimum interval of one hour.");
    if (day_ms % *interval != 0) return Reply::error(400, "The interval should divide one day without a remainder.");
    request.interval_ms = *interval;
  }
  const auto now = to_ms(api.clock.now());
  const auto& span = std::get<std::optional<Period>>(period);
  const auto unit = request.interval_ms;
  const auto from = span ? to_ms(span->from) : now - 90 * day_ms;
  const auto to = span ? to_ms(span->to) : now;
  request.from_ms = std::max<std::int64_t>(0, from / unit * unit);
  request.to_ms = std::max(request.from_ms + unit, (to + unit - 1) / unit * unit);
  if (request.points() + 1 > most_points)
    return Reply::error(400, "Your interval and date range would create too many results. Use a larger interval, or a smaller date range.");
  return std::nullopt;
}

std::optional<Reply> read_filters(const Call& call, Request& request) {
  for (const auto name : call.query.all("environment"))
    request.environments.emplace_back(name);
  const auto condition = query::parse_condition(call.query.text("query"), query::session_language(), Time{});
  if (!condition) return Reply::error(400, condition.error().detail);
  if (condition->kind != query::ConditionKind::all || condition->negated)
    return Reply::error(400, "Filters of sessions are joined by AND only.");
  for (const auto& term : condition->parts) {
    if (term.kind != query::ConditionKind::filter || term.field.explicit_tag || term.field.is_function())
      return Reply::error(400, query::refuse(term, "Filters of sessions are release, environment and project, joined by AND.").detail);
    Filter filter{.key = term.field.name, .values = {}, .negated = term.asks_not()};
    for (const auto& value : term.values)
      filter.values.emplace_back(value.text, false);
    request.filters.push_back(std::move(filter));
  }
  return std::nullopt;
}

bool on(const Call& call, std::string_view name) {
  return call.query.text(name) != "0";
}

std::variant<Request, Reply> parse_request(Api& api, const Call& call) {
  Request request;
  auto selected = selected_projects(api, call);
  if (auto* refusal = std::get_if<Reply>(&selected)) return std::move(*refusal);
  request.projects = std::move(std::get<std::vector<schema::Project>>(selected));
  if (auto refusal = read_fields(call, request)) return *std::move(refusal);
  if (auto refusal = read_range(api, call, request)) return *std::move(refusal);
  if (auto refusal = read_filters(call, request)) return *std::move(refusal);
  request.totals = on(call, "includeTotals");
  request.series = on(call, "includeSeries");
  const auto page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&page)) return *refusal;
  if (call.query.find("per_page")) request.per_page = std::get<Page>(page).per_page;
  return request;
}

struct GroupKey {
  std::uint64_t project = 0;
  std::string release;
  std::string environment;
  auto operator<=>(const GroupKey&) const = default;
};
struct Group {
  SessionCell total;
  std::vector<SessionCell> series;
};
using Groups = std::map<GroupKey, Group>;

bool passes(const Request& request, const schema::Project& project, const SessionHour& hour) {
  if (!request.environments.empty() && std::ranges::find(request.environments, hour.environment) == request.environments.end())
    return false;
  return std::ranges::all_of(request.filters, [&](const Filter& filter) {
    const bool matched = std::ranges::any_of(filter.values, [&](const query::Pattern& pattern) {
      if (filter.key == "release") return pattern.matches(hour.release);
      if (filter.key == "environment") return pattern.matches(hour.environment);
      return pattern.matches(project.slug()) || pattern.matches(std::to_string(project.id()));
    });
    return matched != filter.negated;
  });
}

GroupKey key_of(const Request& request, const schema::Project& project, const SessionHour& hour) {
  GroupKey key;
  if (request.by_project) key.project = project.id();
  if (request.by_release) key.release = hour.release;
  if (request.by_environment) key.environment = hour.environment;
  return key;
}

// Calls `take` with each row that passes: its group, hour and what the row holds.
template <class TakeCounts, class TakeUsers>
void read_rows(const Request& request, const buffer::Reader& reader, TakeCounts take_counts, TakeUsers take_users) {
  for (const auto& project : request.projects) {
    for_each_session_hour(reader, Table::session_counts, project.id(), request.from_ms, request.to_ms,
                          [&](const SessionHour& hour, std::string_view, std::string_view value) {
                            if (!passes(request, project, hour)) return;
                            take_counts(key_of(request, project, hour), hour.hour_ms, buffer::parse_row<schema::SessionCounts>(value));
                          });
    if (!request.wants_users()) continue;
    for_each_session_hour(reader, Table::session_users, project.id(), request.from_ms, request.to_ms,
                          [&](const SessionHour& hour, std::string_view rest, std::string_view value) {
                            if (rest.empty() || static_cast<unsigned char>(rest.front()) >= digest::user_kinds) return;
                            if (!passes(request, project, hour)) return;
                            take_users(key_of(request, project, hour), hour.hour_ms, static_cast<UserKind>(rest.front()),
                                       digest::UserSet(buffer::parse_row<schema::UserSet>(value)));
                          });
  }
}

Groups gather_totals(const Request& request, const buffer::Reader& reader) {
  Groups groups;
  read_rows(
      request, reader,
      [&](GroupKey key, std::int64_t, const schema::SessionCounts& counts) {
        digest::add_counts(counts, groups[std::move(key)].total.counts);
      },
      [&](GroupKey key, std::int64_t, UserKind kind, const digest::UserSet& set) {
        groups[std::move(key)].total.join_users(kind, set);
      });
  return groups;
}

// Of the groups that have room for a series: those that are shown.
void gather_series(const Request& request, const buffer::Reader& reader, Groups& groups) {
  const auto cell_of = [&](const GroupKey& key, std::int64_t hour) -> SessionCell* {
    const auto group = groups.find(key);
    if (group == groups.end() || group->second.series.empty()) return nullptr;
    return &group->second.series[request.point_of(hour)];
  };
  read_rows(
      request, reader,
      [&](const GroupKey& key, std::int64_t hour, const schema::SessionCounts& counts) {
        if (auto* cell = cell_of(key, hour)) digest::add_counts(counts, cell->counts);
      },
      [&](const GroupKey& key, std::int64_t hour, UserKind kind, const digest::UserSet& set) {
        if (auto* cell = cell_of(key, hour)) cell->join_users(kind, set);
      });
}

json::value duration_of(const Field& field, const SessionCell& cell) {
  const auto& counts = cell.counts;
  if (counts.durations() == 0) return nullptr;
  if (field.average == Average::mean) return static_cast<double>(counts.duration_sum_ms()) / static_cast<double>(counts.durations());
  const auto ms = digest::duration_quantile(counts, field.average == Average::greatest ? 1.0 : field.share);
  return ms ? json::value(*ms) : json::value(nullptr);
}

json::value rate_of(const Field& field, const SessionCell& cell) {
  const auto all = field.of_users ? cell.user_count(UserKind::all) : cell.counts.sessions();
  if (all == 0 || field.always_null) return nullptr;
  const auto bad = std::min(all, field.of_users ? users_with(cell, field.status) : sessions_with(cell, field.status));
  return static_cast<double>(field.free ? all - bad : bad) / static_cast<double>(all);
}

json::value value_of(const Field& field, const SessionCell& cell, std::optional<ShownStatus> status) {
  switch (field.measure) {
    case Measure::sessions: return status ? sessions_with(cell, *status) : cell.counts.sessions();
    case Measure::users: return status ? users_with(cell, *status) : cell.user_count(UserKind::all);
    case Measure::duration:
      // Durations are those of sessions that ended well.
      return status && *status != ShownStatus::healthy ? json::value(nullptr) : duration_of(field, cell);
    case Measure::rate: return rate_of(field, cell);
  }
  return nullptr;
}

json::object render_group(const Request& request, const GroupKey& key, const Group& group, std::optional<ShownStatus> status) {
  json::object by;
  if (request.by_project) by["project"] = key.project;
  if (request.by_release) by["release"] = key.release;
  if (request.by_environment) by["environment"] = key.environment;
  if (status) by["session.status"] = shown_statuses[static_cast<std::size_t>(*status)];
  json::object totals;
  json::object series;
  for (const auto& field : request.fields) {
    if (request.totals) totals[field.text] = value_of(field, group.total, status);
    if (!request.series) continue;
    json::array points;
    points.reserve(group.series.size());
    for (const auto& cell : group.series)
      points.push_back(value_of(field, cell, status));
    series[field.text] = std::move(points);
  }
  return {{"by", std::move(by)}, {"totals", std::move(totals)}, {"series", std::move(series)}};
}

// In the order asked for, and no more than an answer may have.
std::vector<Groups::value_type*> chosen(const Request& request, Groups& groups) {
  std::vector<Groups::value_type*> order;
  for (auto& group : groups)
    order.push_back(&group);
  if (request.order) {
    const auto& field = request.fields[*request.order];
    const auto number = [&](const Groups::value_type* group) {
      const auto value = value_of(field, group->second.total, std::nullopt);
      return value.is_null() ? -1.0 : value.to_number<double>();
    };
    std::ranges::stable_sort(order, [&](const auto* a, const auto* b) {
      return request.descending ? number(a) > number(b) : number(a) < number(b);
    });
  }
  std::size_t most = most_points / (request.points() + 1);
  if (request.per_page != 0) most = std::min(most, request.per_page);
  if (order.size() > most) order.resize(std::max<std::size_t>(1, most));
  return order;
}

// Without a fraction: they are whole hours.
json::value render_hour(std::int64_t ms) {
  const auto time = render_time(ms);
  if (!time.is_string()) return time;
  return json::string(std::string(time.as_string().subview(0, 19)) + "Z");
}

Reply organization_sessions(Api& api, const Call& call) {
  const auto parsed = parse_request(api, call);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& request = std::get<Request>(parsed);
  const auto snapshot = api.tables.snapshot();
  auto groups = gather_totals(request, snapshot);
  const bool ungrouped = !request.by_project && !request.by_release && !request.by_environment;
  if (groups.empty() && ungrouped) groups[{}];
  const auto order = chosen(request, groups);
  if (request.series) {
    for (auto* group : order)
      group->second.series.resize(request.points());
    gather_series(request, snapshot, groups);
  }
  json::array shown;
  for (const auto* group : order) {
    if (!request.by_status) {
      shown.push_back(render_group(request, group->first, group->second, std::nullopt));
      continue;
    }
    for (std::size_t status = 0; status < shown_statuses.size(); ++status)
      shown.push_back(render_group(request, group->first, group->second, static_cast<ShownStatus>(status)));
  }
  json::array intervals;
  for (std::size_t i = 0; i < request.points(); ++i)
    intervals.push_back(render_hour(request.from_ms + static_cast<std::int64_t>(i) * request.interval_ms));
  return Reply::json(json::object{{"start", render_hour(request.from_ms)},
                                  {"end", render_hour(request.to_ms)},
                                  {"intervals", std::move(intervals)},
                                  {"groups", std::move(shown)},
                                  {"query", call.query.text("query")}});
}

}  // namespace

std::vector<Route> session_routes() {
  return {{"GET", "/api/0/organizations/{organization_id_or_slug}/sessions/", {"org:read", "org:write", "org:admin"}, organization_sessions}};
}

}  // namespace picket::rest

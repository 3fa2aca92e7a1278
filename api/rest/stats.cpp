// How much was received and what became of it, from the hourly outcome counters.
#include "api/rest/access.h"
#include "api/rest/router.h"
#include "relay/protocol/data_category.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;
using relay::DataCategory;
using relay::Outcome;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;
constexpr std::int64_t most_points = 3'000;

struct OutcomeRow {
  std::uint64_t project = 0;
  std::int64_t hour_ms = 0;
  DataCategory category{};
  Outcome outcome{};
  std::string_view reason;
  std::uint64_t quantity = 0;
};

// The counters of a project whose hour lies in [from, to).
template <class Visit>
void for_each_outcome(const buffer::Reader& reader, std::uint64_t project, std::int64_t from_ms, std::int64_t to_ms, Visit visit) {
  auto cursor = reader.cursor(Table::outcomes);
  const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(0, from_ms));
  for (bool more = cursor.seek(Key().u64(project).u64(from)); more; more = cursor.next()) {
    KeyReader key(cursor.key());
    OutcomeRow row;
    row.project = key.u64();
    row.hour_ms = static_cast<std::int64_t>(key.u64());
    if (row.project != project || row.hour_ms >= to_ms) return;
    row.category = static_cast<DataCategory>(key.u8());
    row.outcome = static_cast<Outcome>(key.u8());
    row.reason = key.text();
    row.quantity = buffer::parse_row<schema::Count>(cursor.value()).quantity();
    visit(row);
  }
}

bool is_error(DataCategory category) {
  return category == DataCategory::error || category == DataCategory::default_ || category == DataCategory::security;
}

// Errors, messages and security reports are one category to the people who read statistics.
std::string_view shown_category(DataCategory category) {
  return relay::wire_name(is_error(category) ? DataCategory::error : category);
}

std::int64_t floor_to(std::int64_t ms, std::int64_t unit_ms) {
  return ms >= 0 ? ms / unit_ms * unit_ms : 0;
}
std::int64_t ceil_to(std::int64_t ms, std::int64_t unit_ms) {
  return floor_to(ms + unit_ms - 1, unit_ms);
}

// ---- project stats

std::optional<std::int64_t> parse_epoch_ms(std::string_view text) {
  double seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 253'402'300'799.0) return std::nullopt;
  return static_cast<std::int64_t>(seconds * 1000);
}

bool counts_for(std::string_view stat, Outcome outcome) {
  if (stat == "generated") return outcome == Outcome::accepted;
  if (stat == "blacklisted") return outcome == Outcome::filtered;
  if (stat == "rejected") {
    return outcome == Outcome::rate_limited || outcome == Outcome::abuse || outcome == Outcome::invalid;
  }
  // What an SDK threw away was never received.
  return outcome != Outcome::client_discard;
}

Reply project_stats(Api& api, const Call& call) {
  const auto stat = call.query.find("stat").value_or("received");
  constexpr std::array<std::string_view, 4> known = {"received", "rejected", "blacklisted", "generated"};
  if (std::find(known.begin(), known.end(), stat) == known.end()) return Reply::error(400, "Invalid stat: " + std::string(stat));
  const auto resolution = call.query.text("resolution");
  if (!resolution.empty() && resolution != "10s" && resolution != "1h" && resolution != "1d") {
    return Reply::error(400, "Invalid resolution");
  }
  // Counters are kept per hour: nothing finer can be told.
  const auto unit = resolution == "1d" ? day_ms : hour_ms;
  auto until = to_ms(api.clock.now());
  if (const auto text = call.query.find("until")) {
    const auto parsed = parse_epoch_ms(*text);
    if (!parsed) return Reply::error(400, "until is not a time in seconds");
    until = *parsed;
  }
  auto since = until - (resolution == "1d" ? 30 * day_ms : day_ms) + unit;
  if (const auto text = call.query.find("since")) {
    const auto parsed = parse_epoch_ms(*text);
    if (!parsed) return Reply::error(400, "since is not a time in seconds");
    since = *parsed;
  }
  const auto last = floor_to(until, unit);
  const auto first = std::max(floor_to(since, unit), last - (most_points - 1) * unit);
  std::map<std::int64_t, std::uint64_t> counts;
  for_each_outcome(api.tables.snapshot(), call.project->id(), first, last + unit, [&](const OutcomeRow& row) {
    if (is_error(row.category) && counts_for(stat, row.outcome)) counts[floor_to(row.hour_ms, unit)] += row.quantity;
  });
  json::array points;
  for (auto at = first; at <= last; at += unit) {
    const auto count = counts.find(at);
    points.push_back(json::array{at / 1000, count == counts.end() ? std::uint64_t{0} : count->second});
  }
  return Reply::json(std::move(points));
}

// ---- stats_v2 and stats-summary

struct StatsRequest {
  std::vector<schema::Project> projects;
  std::string field;
  std::vector<std::string> group_by;
  std::set<std::string, std::less<>> categories;  // empty: all; likewise the others
  std::set<std::string, std::less<>> outcomes;
  std::set<std::string, std::less<>> reasons;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::int64_t interval_ms = hour_ms;

  bool wants(const OutcomeRow& row) const {
    const auto among = [](const auto& words, std::string_view word) { return words.empty() || words.contains(word); };
    return among(categories, shown_category(row.category)) && among(outcomes, relay::wire_name(row.outcome)) &&
           among(reasons, row.reason);
  }
};

std::optional<std::int64_t> parse_interval_ms(std::string_view text) {
  std::int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  if (read.ec != std::errc() || count <= 0 || count > 100'000'000) return std::nullopt;
  if (unit == "s" || unit.empty()) return count * 1000;
  if (unit == "m") return count * 60'000;
  if (unit == "h") return count * hour_ms;
  if (unit == "d") return count * day_ms;
  if (unit == "w") return count * 7 * day_ms;
  return std::nullopt;
}

std::optional<Reply> read_words(const Call& call, StatsRequest& request) {
  for (const auto word : call.query.all("category")) {
    auto name = word;
    if (name == "replays" || name == "profiles") name.remove_suffix(1);
    const auto category = relay::parse_data_category(name);
    if (!category) return Reply::error(400, "Invalid category: \"" + std::string(word) + "\"");
    request.categories.emplace(shown_category(*category));
  }
  for (const auto word : call.query.all("outcome")) {
    if (!relay::parse_outcome(word)) return Reply::error(400, "Invalid outcome: \"" + std::string(word) + "\"");
    request.outcomes.emplace(word);
  }
  for (const auto word : call.query.all("reason")) request.reasons.emplace(word);
  for (const auto word : call.query.all("groupBy")) {
    if (word != "outcome" && word != "category" && word != "reason" && word != "project") {
      return Reply::error(400, "Invalid groupBy: \"" + std::string(word) + "\"");
    }
    if (std::find(request.group_by.begin(), request.group_by.end(), word) == request.group_by.end()) request.group_by.emplace_back(word);
  }
  const auto fields = call.query.all("field");
  if (fields.empty()) return Reply::error(400, "At least one \"field\" is required.");
  for (const auto field : fields) {
    if (field != "sum(quantity)" && field != "sum(times_seen)") return Reply::error(400, "Invalid field: \"" + std::string(field) + "\"");
  }
  request.field = fields.front();
  return std::nullopt;
}

std::variant<StatsRequest, Reply> parse_stats_request(Api& api, const Call& call) {
  StatsRequest request;
  auto selected = selected_projects(api, call);
  if (auto* refusal = std::get_if<Reply>(&selected)) return std::move(*refusal);
  request.projects = std::move(std::get<std::vector<schema::Project>>(selected));
  if (auto refusal = read_words(call, request)) return *std::move(refusal);
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  if (const auto text = call.query.text("interval"); !text.empty()) {
    const auto interval = parse_interval_ms(text);
    if (!interval) return Reply::error(400, "Invalid interval");
    if (*interval < hour_ms || *interval > day_ms || *interval % hour_ms != 0 || day_ms % *interval != 0) {
      return Reply::error(400, "The interval has to be hours that divide a day.");
    }
    request.interval_ms = *interval;
  }
  const auto now = to_ms(api.clock.now());
  const auto& span = std::get<std::optional<Period>>(period);
  request.from_ms = floor_to(span ? to_ms(span->from) : now - day_ms, request.interval_ms);
  request.to_ms = ceil_to(span ? to_ms(span->to) : now, request.interval_ms);
  if ((request.to_ms - request.from_ms) / request.interval_ms > most_points) {
    return Reply::error(400, "The period has too many intervals; ask for a longer interval or a shorter period.");
  }
  return request;
}

using GroupKey = std::vector<std::string>;  // in the order of group_by
struct Group {
  std::uint64_t total = 0;
  std::vector<std::uint64_t> series;
};

GroupKey group_of(const StatsRequest& request, const OutcomeRow& row) {
  GroupKey key;
  for (const auto& by : request.group_by) {
    if (by == "outcome") key.emplace_back(relay::wire_name(row.outcome));
    if (by == "category") key.emplace_back(shown_category(row.category));
    if (by == "reason") key.emplace_back(row.reason.empty() ? std::string_view("none") : row.reason);
    if (by == "project") key.push_back(std::to_string(row.project));
  }
  return key;
}

json::object render_group(const StatsRequest& request, const GroupKey& key, const Group& group) {
  json::object by;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (request.group_by[i] == "project") {
      by[request.group_by[i]] = std::stoull(key[i]);
    } else {
      by[request.group_by[i]] = key[i];
    }
  }
  json::array series;
  series.reserve(group.series.size());
  for (const auto count : group.series) series.emplace_back(count);
  json::object totals;
  json::object all_series;
  totals[request.field] = group.total;
  all_series[request.field] = std::move(series);
  return {{"by", std::move(by)}, {"totals", std::move(totals)}, {"series", std::move(all_series)}};
}

Reply organization_stats(Api& api, const Call& call) {
  const auto parsed = parse_stats_request(api, call);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& request = std::get<StatsRequest>(parsed);
  const auto points = static_cast<std::size_t>((request.to_ms - request.from_ms) / request.interval_ms);
  std::map<GroupKey, Group> groups;
  const auto snapshot = api.tables.snapshot();
  for (const auto& project : request.projects) {
    for_each_outcome(snapshot, project.id(), request.from_ms, request.to_ms, [&](const OutcomeRow& row) {
      if (!request.wants(row)) return;
      auto& group = groups[group_of(request, row)];
      group.series.resize(points);
      group.total += row.quantity;
      group.series[static_cast<std::size_t>((row.hour_ms - request.from_ms) / request.interval_ms)] += row.quantity;
    });
  }
  json::array intervals;
  for (std::size_t i = 0; i < points; ++i) {
    intervals.push_back(render_time(request.from_ms + static_cast<std::int64_t>(i) * request.interval_ms));
  }
  json::array shown;
  for (const auto& [key, group] : groups) shown.push_back(render_group(request, key, group));
  return Reply::json(json::object{{"start", render_time(request.from_ms)},
                                  {"end", render_time(request.to_ms)},
                                  {"intervals", std::move(intervals)},
                                  {"groups", std::move(shown)}});
}

Reply stats_summary(Api& api, const Call& call) {
  const auto parsed = parse_stats_request(api, call);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& request = std::get<StatsRequest>(parsed);
  const auto snapshot = api.tables.snapshot();
  json::array projects;
  for (const auto& project : request.projects) {
    std::map<std::string, std::map<Outcome, std::uint64_t>> categories;
    for_each_outcome(snapshot, project.id(), request.from_ms, request.to_ms, [&](const OutcomeRow& row) {
      if (request.wants(row)) categories[std::string(shown_category(row.category))][row.outcome] += row.quantity;
    });
    json::array stats;
    for (const auto& [category, counts] : categories) {
      json::object outcomes;
      std::uint64_t total = 0;
      for (int number = 0; number <= static_cast<int>(Outcome::cardinality_limited); ++number) {
        const auto outcome = static_cast<Outcome>(number);
        const auto found = counts.find(outcome);
        const auto count = found == counts.end() ? 0 : found->second;
        outcomes[relay::wire_name(outcome)] = count;
        total += count;
      }
      const auto accepted = outcomes.at("accepted").to_number<std::uint64_t>();
      json::object totals{{"dropped", total - accepted}};
      totals[request.field] = total;
      stats.push_back(json::object{{"category", category}, {"outcomes", std::move(outcomes)}, {"totals", std::move(totals)}});
    }
    projects.push_back(json::object{{"id", std::to_string(project.id())}, {"slug", project.slug()}, {"stats", std::move(stats)}});
  }
  return Reply::json(json::object{{"start", render_time(request.from_ms)}, {"end", render_time(request.to_ms)}, {"projects", std::move(projects)}});
}

}  // namespace

std::vector<Route> stats_routes() {
  const std::vector<std::string_view> read_project = {"project:read", "project:write", "project:admin"};
  const std::vector<std::string_view> read_organization = {"org:read", "org:write", "org:admin"};
  return {
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/stats/", read_project, project_stats},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/stats_v2/", read_organization, organization_stats},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/stats-summary/", read_organization, stats_summary},
  };
}

}  // namespace picket::rest

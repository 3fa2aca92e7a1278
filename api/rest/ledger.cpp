#include "api/rest/ledger.h"

#include "api/rest/access.h"
#include "api/rest/router.h"
#include "relay/protocol/hex.h"

#include <algorithm>

namespace picket::rest {
namespace {

namespace json = boost::json;

// groupBy=hour&groupBy=category …; nothing given: category.
std::variant<query::LedgerGrouping, Reply> parse_grouping(const Query& query) {
  query::LedgerGrouping by;
  const auto words = query.all("groupBy");
  by.category = words.empty();
  for (const auto word : words) {
    if (word == "hour") by.hour = true;
    else if (word == "project") by.project = true;
    else if (word == "key") by.key = true;
    else if (word == "category") by.category = true;
    else return Reply::error(400, "groupBy is none of hour, project, key, category");
  }
  return by;
}

json::object render_line(const query::LedgerLine& line, const query::LedgerGrouping& by) {
  json::object shown;
  if (by.hour) shown["hour"] = render_time(line.hour_ms);
  if (by.project) shown["project"] = std::to_string(line.project);
  if (by.key) shown["key"] = relay::render_hex(line.key);
  if (line.category) shown["category"] = relay::wire_name(*line.category);
  shown["received"] = line.received();
  shown["stored"] = line.stored;
  shown["filtered"] = line.filtered;
  shown["rateLimited"] = line.rate_limited;
  shown["invalid"] = line.invalid;
  shown["abuse"] = line.abuse;
  shown["clientDiscarded"] = line.client_discarded;
  json::object destinations;
  for (const auto& [name, onward] : line.destinations) {
    destinations[name] = json::object{{"forwarded", onward.forwarded},
                                      {"waiting", onward.waiting},
                                      {"quarantined", onward.quarantined},
                                      {"expired", onward.expired},
                                      {"notRouted", onward.not_routed},
                                      {"notSampled", onward.not_sampled}};
  }
  shown["destinations"] = std::move(destinations);
  return shown;
}

Reply ledger(Api& api, const Call& call) {
  auto selected = selected_projects(api, call);
  if (auto* refusal = std::get_if<Reply>(&selected)) return std::move(*refusal);
  auto period = parse_period(call.query, api.clock.now());
  if (auto* refusal = std::get_if<Reply>(&period)) return std::move(*refusal);
  auto grouping = parse_grouping(call.query);
  if (auto* refusal = std::get_if<Reply>(&grouping)) return std::move(*refusal);

  query::LedgerRequest request;
  request.by = std::get<query::LedgerGrouping>(grouping);
  for (const auto& project : std::get<std::vector<schema::Project>>(selected)) request.projects.push_back(project.id());
  // An organization without projects must not see what belongs to nobody.
  if (request.projects.empty()) request.projects.push_back(0), request.to_ms = INT64_MIN;
  std::ranges::sort(request.projects);
  if (const auto& span = std::get<std::optional<Period>>(period)) {
    constexpr std::int64_t hour_ms = 3'600'000;
    request.from_ms = to_ms(span->from) / hour_ms * hour_ms;
    request.to_ms = std::min(request.to_ms, to_ms(span->to));
  }
  const auto report = query::collect_ledger(api.tables.snapshot(), api.journal, request);
  return Reply::json(render_ledger(report, request.by));
}

}  // namespace

json::object render_ledger(const query::LedgerReport& report, const query::LedgerGrouping& by) {
  json::array lines;
  for (const auto& line : report.lines) lines.push_back(render_line(line, by));
  return {{"data", std::move(lines)}, {"undigested", report.undigested}, {"waitingIsRest", report.waiting_is_rest}};
}

std::vector<Route> ledger_routes() {
  return {{"GET",
           "/api/0/organizations/{organization_id_or_slug}/ledger/",
           {"org:read", "org:write", "org:admin"},
           ledger}};
}

}  // namespace picket::rest

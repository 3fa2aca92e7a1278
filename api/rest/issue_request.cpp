#include "api/rest/issue_request.h"

#include "api/rest/access.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

std::optional<Reply> fill_page(const Query& query, query::IssueRequest& request) {
  const auto parsed = parse_page(query, 100);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  request.value = page.value;
  request.id = page.offset;
  request.previous = page.previous;
  request.most = page.per_page;
  return std::nullopt;
}

}  // namespace

bool has_value(const Query& query, std::string_view name, std::string_view value) {
  const auto values = query.all(name);
  return std::find(values.begin(), values.end(), value) != values.end();
}

std::variant<std::vector<std::uint64_t>, Reply> parse_issue_ids(const Call& call, std::string_view name, std::size_t most) {
  std::vector<std::uint64_t> ids;
  for (const auto text : call.query.all(name)) {
    const auto id = parse_id(text);
    if (!id) return Reply::error(400, name == "group" ? "Group ids must be integers" : "Issue ids must be integers");
    ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.size() > most) return Reply::error(400, "At most " + std::to_string(most) + " issues can be named at once.");
  return ids;
}

std::variant<query::IssueRequest, Reply> parse_issue_request(Api& api, const Call& call, std::string_view default_query) {
  query::IssueRequest request;
  request.scope.organization = call.organization->id();
  request.scope.user = call.caller.user ? call.caller.user->id() : 0;
  request.scope.now = api.clock.now();
  if (call.project) {
    request.scope.projects = {call.project->id()};
  } else {
    const auto selected = selected_projects(api, call);
    if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
    request.scope.projects = project_ids(std::get<std::vector<schema::Project>>(selected));
  }
  auto condition = query::parse_condition(call.query.find("query").value_or(default_query), query::issue_language(), request.scope.now);
  if (!condition) return Reply::error(400, condition.error().detail);
  request.condition = *std::move(condition);
  for (const auto name : call.query.all("environment")) {
    if (!name.empty()) request.environments.emplace_back(name);
  }
  const auto sort = query::parse_issue_sort(call.query.text("sort"));
  if (!sort) {
    return Reply::error(400, "Invalid sort: one of date, freq, inbox, new, priority, recommended, trends and user is expected.");
  }
  request.sort = *sort;
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  if (const auto& span = std::get<std::optional<Period>>(period)) {
    request.from_ms = to_ms(span->from);
    // A period up to now includes what clocks that run ahead have sent.
    if (span->to != api.clock.now()) request.to_ms = to_ms(span->to);
  }
  if (auto refusal = fill_page(call.query, request)) return *std::move(refusal);
  return request;
}

std::variant<query::IssuePage, Reply> find_issues(Api& api, const query::IssueRequest& request) {
  auto found = api.issue_search->find(api.tables, request);
  if (found) return *std::move(found);
  return Reply::error(found.error().fault == Fault::malformed ? 400 : 408, found.error().detail);
}

std::variant<IssueShape, Reply> parse_issue_shape(Api& api, const Call& call) {
  IssueShape shape;
  if (const auto word = call.query.find("groupStatsPeriod")) {
    const auto series = parse_stats_series(*word);
    if (!series) return Reply::error(400, "Invalid groupStatsPeriod: one of '', 24h, 14d and auto is expected.");
    shape.series = *series;
  }
  const auto period = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  shape.period = std::get<std::optional<Period>>(period);
  if (has_value(call.query, "collapse", "stats")) shape.series = StatsSeries::none;
  shape.lifetime = !has_value(call.query, "collapse", "lifetime");
  shape.attachments = has_value(call.query, "expand", "latestEventHasAttachments");
  return shape;
}

}  // namespace picket::rest

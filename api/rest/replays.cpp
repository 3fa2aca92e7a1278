// Replays: lists, one, how many an issue has, who has seen one, deleting.
#include "api/query/fact_search.h"
#include "api/query/issue_names.h"
#include "api/rest/access.h"
#include "api/rest/fact_request.h"
#include "api/rest/render.h"
#include "api/rest/replay_view.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <map>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Key;
using buffer::Table;

std::uint64_t viewer_of(const Call& call) {
  return call.caller.user ? call.caller.user->id() : 0;
}

std::set<std::string, std::less<>> fields_of(const Call& call) {
  std::set<std::string, std::less<>> fields;
  for (const auto name : call.query.all("field")) fields.emplace(name);
  return fields;
}

std::variant<ReplayFilter, Reply> read_filter(const Api& api, const Call& call) {
  ReplayFilter filter;
  filter.now = api.clock.now();
  auto period = parse_period(call.query, filter.now);
  if (auto* refusal = std::get_if<Reply>(&period)) return std::move(*refusal);
  filter.period = std::get<std::optional<Period>>(period);
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  filter.condition = *std::move(condition);
  for (const auto name : call.query.all("environment")) {
    if (!name.empty()) filter.environments.emplace_back(name);
  }
  return filter;
}

std::optional<Reply> sort_replays(const Call& call, std::vector<schema::Replay>& replays) {
  auto word = call.query.text("sort");
  if (word.empty()) word = call.query.text("sortBy");
  if (word.empty()) word = call.query.text("orderBy");
  if (word.empty()) word = "-started_at";
  const bool descending = word.front() == '-';
  if (descending) word.remove_prefix(1);
  if (!replay_number(schema::Replay(), word)) return Reply::error(400, "Invalid field specified: " + std::string(word.substr(0, 100)));
  std::stable_sort(replays.begin(), replays.end(), [&](const auto& a, const auto& b) {
    const auto first = *replay_number(a, word);
    const auto second = *replay_number(b, word);
    if (first != second) return descending ? first > second : first < second;
    return a.replay_id() < b.replay_id();
  });
  return std::nullopt;
}

Reply list_replays(Api& api, const Call& call) {
  const auto parsed_page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed_page)) return *refusal;
  const auto& page = std::get<Page>(parsed_page);
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  auto filter = read_filter(api, call);
  if (auto* refusal = std::get_if<Reply>(&filter)) return std::move(*refusal);
  auto replays = find_replays(api.tables.snapshot(), std::get<std::vector<schema::Project>>(projects), std::get<ReplayFilter>(filter));
  if (auto refusal = sort_replays(call, replays)) return *std::move(refusal);
  const auto fields = fields_of(call);
  json::array shown;
  for (auto i = static_cast<std::size_t>(page.offset); i < replays.size() && shown.size() < page.per_page; ++i)
    shown.push_back(render_replay(replays[i], viewer_of(call), fields));
  const auto count = shown.size();
  auto reply = Reply::json(json::object{{"data", std::move(shown)}});
  add_links(reply, api, call, page, count, page.offset + count < replays.size());
  return reply;
}

Reply get_replay(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  if (!id) return Reply::not_found();
  const auto snapshot = api.tables.snapshot();
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  for (const auto& project : std::get<std::vector<schema::Project>>(projects)) {
    if (const auto replay = find_replay(snapshot, project.id(), *id))
      return Reply::json(json::object{{"data", render_replay(*replay, viewer_of(call), fields_of(call))}});
  }
  return Reply::not_found();
}

// Its segments go, too; what comes of it later is dropped.
Reply delete_replay(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  if (!id) return Reply::not_found();
  bool found = false;
  const auto key = Key().u64(call.project->id()).raw(*id);
  const auto written = api.tables.write([&](buffer::Batch& batch) {
    auto replay = find_replay(batch, call.project->id(), *id);
    found = replay.has_value();
    if (!found) return;
    std::vector<std::string> segments;
    for_each(batch, Table::replay_segments, key, [&](std::string_view rest, std::string_view) {
      segments.push_back(std::string(key.view()).append(rest));
      return true;
    });
    for (const auto& segment : segments) batch.remove(Table::replay_segments, segment);
    schema::Replay archived;
    archived.set_replay_id(replay->replay_id());
    archived.set_project(replay->project());
    archived.set_last_sequence(replay->last_sequence());
    archived.set_archived(true);
    buffer::put_row(batch, Table::replays, key, archived);
  });
  if (!written) return Reply::error(503, "The tables cannot be written now.");
  return found ? Reply::none() : Reply::not_found();
}

Reply list_viewers(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  const auto snapshot = api.tables.snapshot();
  const auto replay = id ? find_replay(snapshot, call.project->id(), *id) : std::nullopt;
  if (!replay) return Reply::not_found();
  json::array viewers;
  for (const auto user : replay->viewed_by()) {
    const auto row = buffer::find_row<schema::User>(snapshot, Table::users, Key().u64(user));
    if (row) viewers.push_back(render_user(*row));
  }
  return Reply::json(json::object{{"data", json::object{{"viewed_by", std::move(viewers)}}}});
}

Reply mark_viewed(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  if (!id) return Reply::not_found();
  const auto viewer = viewer_of(call);
  bool found = false;
  const auto written = api.tables.write([&](buffer::Batch& batch) {
    auto replay = find_replay(batch, call.project->id(), *id);
    found = replay.has_value();
    if (!found || viewer == 0 || replay->viewed_by_size() >= 1000 ||
        std::ranges::find(replay->viewed_by(), viewer) != replay->viewed_by().end())
      return;
    replay->add_viewed_by(viewer);
    buffer::put_row(batch, Table::replays, Key().u64(call.project->id()).raw(*id), *replay);
  });
  if (!written) return Reply::error(503, "The tables cannot be written now.");
  return found ? Reply::none() : Reply::not_found();
}

// ---- how many replays an issue, a transaction or an id has ------------------------------------------

using IdsByName = std::map<std::string, std::set<std::string>>;

const query::Condition* counted_by(const query::Condition& condition) {
  if (condition.kind == query::ConditionKind::filter) return &condition;
  for (const auto& part : condition.parts) {
    if (const auto* found = counted_by(part)) return found;
  }
  return nullptr;
}

void count_by_issue(const buffer::Reader& reader, const std::vector<schema::Replay>& replays, IdsByName& counts) {
  for (const auto& replay : replays) {
    for (const auto& error : replay.error_ids()) {
      const auto project = replay.project();
      for (const auto issue : query::issues_of_event(reader, std::span(&project, 1), error)) {
        const auto found = counts.find(std::to_string(query::resolve_issue(reader, issue).value_or(issue)));
        if (found != counts.end()) found->second.insert(relay::render_hex(replay.replay_id()));
      }
    }
  }
}

std::optional<Reply> count_by_transaction(Api& api, const Call& call, const buffer::Reader& reader, IdsByName& counts) {
  auto asked = fact_request(api, call, facts::Dataset::transactions);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  const auto walked = query::for_each_fact(reader, std::get<query::FactRequest>(asked), [&](query::BlockFields& fields, std::size_t row) {
    const auto& replay = fields.values(fact_field("replay.id"))[row];
    const auto found = counts.find(fields.values(fact_field("transaction"))[row].as_text());
    if (replay.there() && found != counts.end()) found->second.insert(std::string(replay.text));
    return true;
  });
  if (!walked) return fact_refusal(walked.error());
  return std::nullopt;
}

Reply count_replays(Api& api, const Call& call) {
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  auto read = read_filter(api, call);
  if (auto* refusal = std::get_if<Reply>(&read)) return std::move(*refusal);
  auto& filter = std::get<ReplayFilter>(read);
  const auto condition = std::exchange(filter.condition, query::Condition());
  const auto* by = counted_by(condition);
  if (by == nullptr) return Reply::error(400, "The query must name issue.id, transaction or replay_id");
  IdsByName counts;
  for (const auto& value : by->values) counts[value.text];
  const auto snapshot = api.tables.snapshot();
  const auto replays = find_replays(snapshot, std::get<std::vector<schema::Project>>(projects), filter);
  if (by->field.name == "issue.id") {
    count_by_issue(snapshot, replays, counts);
  } else if (by->field.name == "transaction") {
    if (auto refusal = count_by_transaction(api, call, snapshot, counts)) return *std::move(refusal);
  } else if (by->field.name == "replay_id") {
    for (const auto& replay : replays) {
      for (auto& [name, ids] : counts) {
        if (parse_replay_id(name) == replay.replay_id()) ids.insert(relay::render_hex(replay.replay_id()));
      }
    }
  } else {
    return Reply::error(400, "The query must name issue.id, transaction or replay_id");
  }
  const auto return_ids = call.query.text("returnIds");
  json::object shown;
  for (const auto& [name, ids] : counts) {
    if (return_ids == "true" || return_ids == "1") {
      json::array list;
      for (const auto& id : ids) list.emplace_back(id);
      shown[name] = std::move(list);
    } else {
      shown[name] = ids.size();
    }
  }
  return Reply::json(std::move(shown));
}

}  // namespace

std::vector<Route> segment_routes();  // replay_segments.cpp

std::vector<Route> replay_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  const std::vector<std::string_view> events = {"event:read", "event:write", "event:admin", "project:read"};
  const std::vector<std::string_view> write = {"project:write", "project:admin"};
  std::vector<Route> routes = {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/replays/", read, list_replays},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/replays/{replay_id}/", read, get_replay},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/replay-count/", read, count_replays},
      {"DELETE", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/", write, delete_replay},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/viewed-by/", events, list_viewers},
      {"POST", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/viewed-by/", events, mark_viewed},
  };
  for (auto& route : segment_routes()) routes.push_back(std::move(route));
  return routes;
}

}  // namespace picket::rest

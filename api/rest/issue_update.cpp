// Changing and deleting issues, one or many at once.
#include "api/digest/deletion.h"
#include "api/rest/changes.h"
#include "api/rest/issue_change.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_render.h"
#include "api/rest/issue_request.h"

#include <algorithm>
#include <set>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Key;
using buffer::Table;

constexpr std::size_t most_selected = 1000;
// What one request removes at once of what it hid; the rest goes with later ones.
constexpr std::size_t rows_removed_at_once = 40'000;

// The issues in `projects` among `ids`; others are passed over.
std::vector<std::uint64_t> own_issues(const buffer::Reader& reader, std::vector<std::uint64_t> ids, const std::vector<std::uint64_t>& projects) {
  std::erase_if(ids, [&](std::uint64_t id) {
    const auto issue = buffer::find_row<schema::Issue>(reader, Table::issues, Key().u64(id));
    return !issue || issue->merged_into() != 0 || !std::binary_search(projects.begin(), projects.end(), issue->project());
  });
  return ids;
}

// What a bulk request selects: by id, by status, or by its query. Of the latter so many as are changed at
// once; the Link header of the answer leads to the rest, in an order that no event moves.
struct Selection {
  std::vector<std::uint64_t> issues{};
  bool by_id = false;
  std::size_t hits = 0;  // of the query
  Links links{};
};

std::variant<Selection, Reply> select_issues(Api& api, const Call& call) {
  const auto ids = parse_issue_ids(call, "id", most_selected);
  if (const auto* refusal = std::get_if<Reply>(&ids)) return *refusal;
  const auto status = call.query.text("status");
  if (!status.empty() && !digest::parse_status(status)) return Reply::error(400, "Invalid status.");
  const std::string by_status = status.empty() ? "is:unresolved" : "is:" + std::string(status);
  auto parsed = parse_issue_request(api, call, by_status);
  if (auto* refusal = std::get_if<Reply>(&parsed)) return std::move(*refusal);
  auto& request = std::get<query::IssueRequest>(parsed);
  if (call.query.find("id")) {
    return Selection{.issues = own_issues(api.tables.snapshot(), std::get<0>(ids), request.scope.projects), .by_id = true};
  }
  request.previous = false;
  request.sort = query::IssueSort::new_;
  request.most = most_selected;
  request.all_hits = true;
  const auto found = find_issues(api, request);
  if (const auto* refusal = std::get_if<Reply>(&found)) return *refusal;
  const auto& page = std::get<query::IssuePage>(found);
  Selection selection{.hits = page.hits};
  for (const auto& issue : page.issues) selection.issues.push_back(issue.id);
  selection.links.previous.previous = true;
  selection.links.has_next = page.has_next;
  if (!page.issues.empty()) {
    selection.links.next.value = page.issues.back().value;
    selection.links.next.offset = page.issues.back().id;
  }
  return selection;
}

// How far a request by query has come: how many issues match, how many of them it took, and where the rest is.
Reply with_progress(const Api& api, const Call& call, const Selection& selection, Reply reply) {
  if (selection.by_id) return reply;
  reply.headers.set("X-Hits", std::to_string(selection.hits));
  reply.headers.set("X-Picket-Selected", std::to_string(selection.issues.size()));
  add_links(reply, api, call, selection.links);
  return reply;
}

// What cannot be taken back, or must be done to all at once, is done to what somebody has named.
std::optional<Reply> refuse_selection(const Call& call, const Selection& selection, bool merging) {
  if (selection.by_id) return std::nullopt;
  if (!call.query.find("query") && !call.query.find("status"))
    return Reply::error(400, "Say which issues: by id, by query or by status.");
  if (merging && selection.links.has_next)
    return Reply::error(400, "More than " + std::to_string(most_selected) + " issues match; name fewer to merge them.");
  return std::nullopt;
}

std::vector<std::uint64_t> projects_of_issues(const buffer::Reader& reader, const std::vector<std::uint64_t>& issues) {
  std::set<std::uint64_t> projects;
  for (const auto id : issues) {
    if (const auto issue = buffer::find_row<schema::Issue>(reader, Table::issues, Key().u64(id))) projects.insert(issue->project());
  }
  return {projects.begin(), projects.end()};
}

// Parses and applies the body in one batch, so that what it is checked against is what it changes.
std::variant<IssueChange, Reply> change(Api& api, const Call& call, const std::vector<std::uint64_t>& issues) {
  const auto now = api.clock.now();
  std::variant<IssueChange, Reply> parsed;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    parsed = parse_issue_change(batch, call, projects_of_issues(batch, issues), now);
    if (const auto* refused = std::get_if<Reply>(&parsed)) return *refused;
    const auto& wanted = std::get<IssueChange>(parsed);
    for (const auto id : issues) {
      auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(id));
      // One that somebody has merged meanwhile is no issue of its own any more.
      if (issue && issue->merged_into() == 0) apply_issue_change(batch, wanted, *std::move(issue), call, now);
    }
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return parsed;
}

Reply remove(Api& api, const std::vector<std::uint64_t>& issues, unsigned status) {
  if (const auto hidden = digest::hide_issues(api.tables, issues); !hidden) return Reply::error(503, hidden.error().detail);
  // The issues are gone; that rows of theirs remain for now is no failure of this request.
  if (const auto rest = digest::continue_deletions(api.tables, rows_removed_at_once); !rest) {
    log(Level::warning, "rest", "rows of deleted issues remain", {{"reason", rest.error().detail}});
  }
  return Reply::none(status);
}

}  // namespace

Reply change_issues(Api& api, const Call& call) {
  const auto selected = select_issues(api, call);
  if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
  const auto& selection = std::get<Selection>(selected);
  const bool merging = asks_for(call, "merge");
  const bool discarding = asks_for(call, "discard");
  if (merging || discarding) {
    if (auto refusal = refuse_selection(call, selection, merging)) return *std::move(refusal);
    if (selection.issues.empty()) return Reply::none(204);
    auto reply = discarding ? discard_selected(api, call, selection.issues) : merge_selected(api, call, selection.issues);
    return reply.status < 300 ? with_progress(api, call, selection, std::move(reply)) : reply;
  }
  if (selection.issues.empty()) {
    const auto checked = parse_issue_change(api.tables.snapshot(), call, {}, api.clock.now());
    if (const auto* refusal = std::get_if<Reply>(&checked)) return *refusal;
    return Reply::none(204);
  }
  const auto changed = change(api, call, selection.issues);
  if (const auto* refusal = std::get_if<Reply>(&changed)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  std::optional<schema::Issue> only;
  if (selection.issues.size() == 1 && selection.by_id) {
    only = buffer::find_row<schema::Issue>(snapshot, Table::issues, Key().u64(selection.issues.front()));
  }
  return with_progress(api, call, selection, Reply::json(render_issue_change(snapshot, std::get<IssueChange>(changed), call, only)));
}

Reply change_issue(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  if (asks_for(call, "discard")) return discard_selected(api, call, {rows->issue.id()});
  const auto changed = change(api, call, {rows->issue.id()});
  if (const auto* refusal = std::get_if<Reply>(&changed)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const auto now = load_issue(snapshot, call.organization->id(), rows->issue.id());
  if (!now) return Reply::not_found();
  IssueRenderer renderer(api, call, snapshot);
  return Reply::json(renderer.render(*now, {.listed = false}));
}

Reply delete_issues(Api& api, const Call& call) {
  const auto selected = select_issues(api, call);
  if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
  const auto& selection = std::get<Selection>(selected);
  auto reply = remove(api, selection.issues, 204);
  return reply.status < 300 ? with_progress(api, call, selection, std::move(reply)) : reply;
}

Reply delete_issue(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  return remove(api, {rows->issue.id()}, 202);
}

}  // namespace picket::rest

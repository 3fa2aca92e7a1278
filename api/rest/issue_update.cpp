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

// What a bulk request selects: by id, by status (project paths), or by its query.
struct Selection {
  std::vector<std::uint64_t> issues;
  bool by_id = false;
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
    return Selection{own_issues(api.tables.snapshot(), std::get<0>(ids), request.scope.projects), true};
  }
  request.value = request.id = 0;
  request.previous = false;
  request.most = most_selected;
  const auto found = find_issues(api, request);
  if (const auto* refusal = std::get_if<Reply>(&found)) return *refusal;
  Selection selection;
  for (const auto& issue : std::get<query::IssuePage>(found).issues) selection.issues.push_back(issue.id);
  return selection;
}

std::vector<std::uint64_t> projects_of_issues(const buffer::Reader& reader, const std::vector<std::uint64_t>& issues) {
  std::set<std::uint64_t> projects;
  for (const auto id : issues) {
    if (const auto issue = buffer::find_row<schema::Issue>(reader, Table::issues, Key().u64(id))) projects.insert(issue->project());
  }
  return {projects.begin(), projects.end()};
}

// Parses and applies the body in one batch, so that what it is checked against is what it changes.
std::variant<IssueChange, Reply> change(Api& api, const Call& call, const std::vector<std::uint64_t>& issues, bool by_id) {
  const auto now = api.clock.now();
  std::variant<IssueChange, Reply> parsed;
  const auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    parsed = parse_issue_change(batch, call, projects_of_issues(batch, issues), now);
    if (const auto* refused = std::get_if<Reply>(&parsed)) return *refused;
    const auto& wanted = std::get<IssueChange>(parsed);
    if (!by_id && !wanted.only_state()) {
      return Reply::error(400, "Only the status of issues can be changed without naming them by id.");
    }
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
  if ((merging || discarding) && !selection.by_id) return Reply::error(400, "Only issues that are named by id can be merged or discarded.");
  if ((merging || discarding) && selection.issues.empty()) return Reply::none(204);
  if (discarding) return discard_selected(api, call, selection.issues);
  if (merging) return merge_selected(api, call, selection.issues);
  if (selection.issues.empty()) {
    const auto checked = parse_issue_change(api.tables.snapshot(), call, {}, api.clock.now());
    if (const auto* refusal = std::get_if<Reply>(&checked)) return *refusal;
    return Reply::none(204);
  }
  const auto changed = change(api, call, selection.issues, selection.by_id);
  if (const auto* refusal = std::get_if<Reply>(&changed)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  std::optional<schema::Issue> only;
  if (selection.issues.size() == 1 && selection.by_id) {
    only = buffer::find_row<schema::Issue>(snapshot, Table::issues, Key().u64(selection.issues.front()));
  }
  return Reply::json(render_issue_change(snapshot, std::get<IssueChange>(changed), call, only));
}

Reply change_issue(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  if (asks_for(call, "discard")) return discard_selected(api, call, {rows->issue.id()});
  const auto changed = change(api, call, {rows->issue.id()}, true);
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
  return remove(api, std::get<Selection>(selected).issues, 204);
}

Reply delete_issue(Api& api, const Call& call) {
  const auto rows = find_path_issue(api.tables.snapshot(), call);
  if (!rows) return Reply::not_found();
  return remove(api, {rows->issue.id()}, 202);
}

}  // namespace picket::rest

// An issue that somebody has made public, for whoever knows its share id: no token is asked for, and
// nothing is shown that tells about users or machines.
#include "api/rest/event_view.h"
#include "api/rest/issue_endpoints.h"
#include "api/rest/issue_render.h"
#include "api/rest/issue_rows.h"

#include <array>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

void remove_variables(json::value& value) {
  if (auto* list = value.if_array()) {
    for (auto& each : *list) remove_variables(each);
  }
  auto* object = value.if_object();
  if (!object) return;
  if (auto* vars = object->if_contains("vars")) *vars = nullptr;
  for (auto& [name, each] : *object) remove_variables(each);
}

bool is_shown(std::string_view entry) {
  static constexpr std::array<std::string_view, 5> shown = {"message", "exception", "stacktrace", "threads", "template"};
  for (const auto each : shown) {
    if (each == entry) return true;
  }
  return false;
}

json::value render_shared_event(const json::value& event) {
  const auto* full = event.if_object();
  if (!full) return nullptr;
  json::object shown;
  for (const auto name : {"id", "eventID", "groupID", "projectID", "title", "message", "culprit", "location", "metadata", "platform",
                          "dateCreated", "dateReceived", "type"}) {
    if (const auto* value = full->if_contains(name)) shown[name] = *value;
  }
  json::array entries;
  for (const auto& entry : full->at("entries").as_array()) {
    if (!is_shown(entry.at("type").as_string())) continue;
    entries.push_back(entry);
    remove_variables(entries.back());
  }
  shown["entries"] = std::move(entries);
  return shown;
}

Reply shared_issue(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto share_id = call.path_text("share_id");
  const auto stored = snapshot.get(Table::shares, Key().text(share_id));
  if (!stored) return Reply::not_found();
  const auto issue = find_row<schema::Issue>(snapshot, Table::issues, Key().u64(KeyReader(*stored).u64()));
  const auto project = issue ? find_row<schema::Project>(snapshot, Table::projects, Key().u64(issue->project())) : std::nullopt;
  auto organization = project ? find_row<schema::Organization>(snapshot, Table::organizations, Key().u64(project->organization())) : std::nullopt;
  if (!organization || !issue->is_public() || issue->share_id() != share_id) return Reply::not_found();
  for (const auto& [name, value] : call.path) {
    const bool named = name == "organization" && value != organization->slug() && value != std::to_string(organization->id());
    if (named) return Reply::not_found();
  }
  const auto rows = load_issue(snapshot, organization->id(), issue->id());
  if (!rows) return Reply::not_found();
  const Call inner{call.request, call.caller, call.path, call.query, nullptr, std::move(organization), {}, {}};
  IssueRenderer renderer(api, inner, snapshot);
  const auto full = renderer.render(*rows, {.listed = false});
  json::object shown;
  for (const auto name : {"id", "shortId", "title", "culprit", "permalink", "isUnhandled", "issueCategory", "shareId"}) shown[name] = full.at(name);
  shown["project"] = json::object{{"slug", project->slug()}, {"organization", json::object{{"slug", inner.organization->slug()}}}};
  const auto event = render_event_by_id(api, inner, snapshot, project->id(), rows->counters.last_event_id(), true);
  shown["latestEvent"] = render_shared_event(event);
  return Reply::json(std::move(shown));
}

}  // namespace

std::vector<Route> issue_share_routes() {
  return {
      {"GET", "/api/0/shared/issues/{share_id}/", {}, shared_issue, true},
      {"GET", "/api/0/organizations/{organization}/shared/issues/{share_id}/", {}, shared_issue, true},
  };
}

}  // namespace picket::rest

#include "api/rest/issue_rows.h"

#include "api/query/issue_names.h"
#include "api/rest/render.h"

#include <algorithm>

namespace picket::rest {

using buffer::find_row;
using buffer::Key;
using buffer::Table;

std::optional<IssueRows> IssueLoader::load(std::uint64_t id) {
  auto issue = query::find_issue(reader_, id);
  if (!issue) return std::nullopt;
  auto project = projects_.find(issue->project());
  if (project == projects_.end()) {
    const auto key = Key().u64(issue->project());
    project = projects_.emplace(issue->project(), find_row<schema::Project>(reader_, Table::projects, key)).first;
  }
  if (!project->second || project->second->organization() != organization_) return std::nullopt;
  auto counters = find_row<schema::IssueCounters>(reader_, Table::issue_counters, Key().u64(issue->id()));
  return IssueRows{*std::move(issue), counters ? *std::move(counters) : schema::IssueCounters(), *project->second};
}

std::optional<IssueRows> load_issue(const buffer::Reader& reader, std::uint64_t organization, std::uint64_t id) {
  return IssueLoader(reader, organization).load(id);
}

std::optional<IssueRows> find_path_issue(const buffer::Reader& reader, const Call& call) {
  const auto name = call.path_text("issue_id");
  const auto organization = call.organization->id();
  if (const auto id = parse_id(name)) return load_issue(reader, organization, *id);
  const auto id = query::find_short_id(reader, project_ids(projects_of(reader, organization)), name);
  return id ? load_issue(reader, organization, *id) : std::nullopt;
}

std::vector<std::uint64_t> project_ids(const std::vector<schema::Project>& projects) {
  std::vector<std::uint64_t> ids;
  ids.reserve(projects.size());
  for (const auto& project : projects) ids.push_back(project.id());
  std::sort(ids.begin(), ids.end());
  return ids;
}

namespace {

std::string_view needed_scope(const Call& call) {
  const std::string_view method = call.request.head.method;
  const bool own_note = std::any_of(call.path.begin(), call.path.end(), [](const auto& part) { return part.first == "note_id"; });
  if (method == "DELETE") return own_note ? "event:write" : "event:admin";
  return method == "GET" || method == "HEAD" ? "event:read" : "event:write";
}

std::optional<schema::Organization> organization_of_issue(const buffer::Reader& reader, std::uint64_t id) {
  const auto resolved = query::resolve_issue(reader, id);
  if (!resolved) return std::nullopt;
  const auto issue = find_row<schema::Issue>(reader, Table::issues, Key().u64(*resolved));
  const auto project = find_row<schema::Project>(reader, Table::projects, Key().u64(issue->project()));
  if (!project) return std::nullopt;
  return find_row<schema::Organization>(reader, Table::organizations, Key().u64(project->organization()));
}

}  // namespace

Reply within_own_organization(Api& api, const Call& call, Endpoint endpoint) {
  const auto id = parse_id(call.path_text("issue_id"));
  if (!id) return Reply::not_found();
  Caller caller = call.caller;
  std::optional<schema::Organization> organization;
  {
    const auto snapshot = api.tables.snapshot();
    organization = organization_of_issue(snapshot, *id);
    // Whether the number exists is nobody else's business.
    if (!organization || !admit_to_organization(snapshot, organization->id(), caller)) return Reply::not_found();
  }
  if (!caller.can(needed_scope(call))) return Reply::forbidden();
  const Call inner{call.request, caller, call.path, call.query, call.body, std::move(organization), {}, {}};
  return endpoint(api, inner);
}

boost::json::object render_activity(const buffer::Reader& reader, const schema::Activity& activity) {
  std::optional<schema::User> user;
  if (activity.user() != 0) user = find_row<schema::User>(reader, Table::users, Key().u64(activity.user()));
  return {
      {"id", std::to_string(activity.id())},
      {"type", activity.type()},
      {"user", user ? boost::json::value(render_user(*user)) : boost::json::value(nullptr)},
      {"sentry_app", nullptr},
      {"dateCreated", render_time(activity.at_ms())},
      {"data", parse_options(activity.data_json())},
  };
}

std::vector<schema::Activity> activities_of(const buffer::Reader& reader, std::uint64_t issue, std::size_t most) {
  std::vector<schema::Activity> activities;
  for_each(reader, Table::activities, Key().u64(issue), [&](std::string_view, std::string_view value) {
    if (activities.size() >= most) return false;
    activities.push_back(buffer::parse_row<schema::Activity>(value));
    return true;
  });
  return activities;
}

schema::Activity add_activity(buffer::Batch& batch, std::uint64_t issue, schema::Activity activity) {
  activity.set_id(batch.next_number("activity"));
  const auto key = Key().u64(issue).descending(static_cast<std::uint64_t>(activity.at_ms())).descending(activity.id());
  buffer::put_row(batch, Table::activities, key, activity);
  return activity;
}

}  // namespace picket::rest

// Teams: list, get, create, update, delete; which projects and members they have.
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;
using buffer::Key;
using buffer::Table;

namespace {

constexpr std::string_view slug_complaint =
    "Enter a valid slug of lowercase letters, digits, underscores or hyphens, not of digits only.";

// Words of a repeated, comma-separated parameter.
bool asks_for(const Call& call, std::string_view parameter, std::string_view word) {
  for (const auto values : call.query.all(parameter)) {
    if (values == word || ("," + std::string(values) + ",").find("," + std::string(word) + ",") !=
                              std::string::npos) {
      return true;
    }
  }
  return false;
}

Reply list_teams(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  const auto query = call.query.text("query");
  const bool detailed = call.query.text("detailed") != "0";
  json::array list;
  for (const auto& team : view.teams) {
    if (!contains_text(team.slug(), query) && !contains_text(team.name(), query)) continue;
    list.push_back(detailed ? render_team_with_projects(view, team) : render_team(view, team));
  }
  return paginate(api, call, std::move(list));
}

Reply create(Api& api, const Call& call) {
  Fields fields(call);
  const auto name = fields.text("name", {.most = 64});
  const auto slug = fields.text("slug", {.most = longest_slug});
  if (slug && !is_slug(*slug)) fields.fail("slug", slug_complaint);
  if (!name && !slug && !fields.refusal())
    fields.fail("non_field_errors", "Name or slug is required");
  if (auto refusal = fields.refusal()) return *refusal;
  schema::Team team;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto organization = call.organization->id();
    const auto wanted = slug ? *slug : slug_from(*name, "team");
    if (slug_taken(batch, SlugKind::team, organization, wanted)) {
      constexpr std::string_view taken = "A team with this slug already exists.";
      return Reply::json(json::object{{"non_field_errors", json::array{taken}}, {"detail", taken}},
                         409);
    }
    team = create_team(batch, organization, wanted, name ? *name : wanted, api.clock.now());
    // Who makes a team belongs to it.
    if (call.caller.member != 0)
      batch.put(Table::team_members, Key().u64(team.id()).u64(call.caller.member), {});
    return std::nullopt;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  return Reply::json(render_team(OrganizationView(snapshot, api, call), team), 201);
}

Reply get_team(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  auto rendered = asks_for(call, "expand", "projects") ? render_team_with_projects(view, *call.team)
                                                       : render_team(view, *call.team);
  if (!asks_for(call, "collapse", "organization")) {
    rendered["organization"] = render_organization(api, *call.organization);
  }
  return Reply::json(std::move(rendered));
}

Reply update(Api& api, const Call& call) {
  Fields fields(call);
  const auto name = fields.text("name", {.most = 64});
  const auto slug = fields.text("slug", {.most = longest_slug});
  if (slug && !is_slug(*slug)) fields.fail("slug", slug_complaint);
  if (auto refusal = fields.refusal()) return *refusal;
  schema::Team team;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto row = find_team(batch, call.organization->id(), std::to_string(call.team->id()));
    if (!row) return Reply::not_found();
    if (slug && *slug != row->slug()) {
      if (slug_taken(batch, SlugKind::team, row->organization(), *slug)) {
        return Reply::field_error("slug", "The slug \"" + *slug + "\" is already in use.");
      }
      rename_team(batch, *row, *slug);
    }
    if (name) row->set_name(*name);
    buffer::put_row(batch, Table::teams, Key().u64(row->id()), *row);
    team = *row;
    return std::nullopt;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  auto rendered = render_team(OrganizationView(snapshot, api, call), team);
  rendered["organization"] = render_organization(api, *call.organization);
  return Reply::json(std::move(rendered));
}

Reply remove(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto row = find_team(batch, call.organization->id(), std::to_string(call.team->id()));
    if (!row) return Reply::not_found();
    delete_team(batch, *row);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

Reply list_team_projects(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  std::vector<schema::Project> projects;
  for (const auto id : view.team_projects.at(call.team->id())) {
    if (const auto* project = view.find_project(id)) projects.push_back(*project);
  }
  return paginate(api, call, render_project_list(snapshot, view, projects));
}

Reply list_team_members(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto ids = team_member_ids(snapshot, call.team->id());
  json::array list;
  for (const auto& member : members_of(snapshot, call.organization->id())) {
    if (std::find(ids.begin(), ids.end(), member.id()) == ids.end()) continue;
    auto rendered = render_member(snapshot, member);
    rendered["teamRole"] = nullptr;
    rendered["teamSlug"] = call.team->slug();
    list.push_back(std::move(rendered));
  }
  return paginate(api, call, std::move(list));
}

Reply list_project_teams(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  json::array list;
  for (const auto* team : view.teams_of_project(call.project->id()))
    list.push_back(render_team(view, *team));
  return paginate(api, call, std::move(list));
}

// The members of the project's teams, each once.
Reply list_project_members(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  json::array list;
  for (const auto& member : members_of(snapshot, call.organization->id())) {
    for (const auto* team : view.teams_of_project(call.project->id())) {
      const auto& ids = view.team_members.at(team->id());
      if (std::find(ids.begin(), ids.end(), member.id()) == ids.end()) continue;
      list.push_back(render_member(snapshot, member));
      break;
    }
  }
  return paginate(api, call, std::move(list));
}

Reply link_project(Api& api, const Call& call, bool linked) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto organization = call.organization->id();
    if (!find_team(batch, organization, std::to_string(call.team->id()))) return Reply::not_found();
    const auto project = find_project(batch, organization, std::to_string(call.project->id()));
    if (!project) return Reply::not_found();
    const auto key = Key().u64(call.team->id()).u64(project->id());
    if (linked) {
      batch.put(Table::team_projects, key, {});
    } else {
      batch.remove(Table::team_projects, key);
    }
    put_project(batch, *project);
    return std::nullopt;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  auto list = render_project_list(snapshot, view, {*call.project});
  auto& rendered = list.front().as_object();
  rendered["organization"] = render_organization(api, *call.organization);
  if (rendered["team"].is_null()) rendered.erase("team");  // here it is an object or absent
  return Reply::json(std::move(rendered), linked ? 201 : 200);
}

Reply add_project(Api& api, const Call& call) {
  return link_project(api, call, true);
}

Reply drop_project(Api& api, const Call& call) {
  return link_project(api, call, false);
}

}  // namespace

std::vector<Route> team_routes() {
  constexpr std::string_view all = "/api/0/organizations/{organization_id_or_slug}/teams/";
  constexpr std::string_view one = "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/";
  constexpr std::string_view link =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/teams/{team_id_or_slug}/";
  return {
      {"GET", all, {"org:read"}, list_teams},
      {"POST", all, {"org:write", "team:write"}, create},
      {"GET", one, {"team:read"}, get_team},
      {"PUT", one, {"team:write"}, update},
      {"DELETE", one, {"team:admin"}, remove},
      {"GET",
       "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/projects/",
       {"project:read"},
       list_team_projects},
      {"GET",
       "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/members/",
       {"team:read"},
       list_team_members},
      {"GET",
       "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/teams/",
       {"project:read"},
       list_project_teams},
      {"GET",
       "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/members/",
       {"project:read"},
       list_project_members},
      {"POST", link, {"project:write"}, add_project},
      {"DELETE", link, {"project:write"}, drop_project},
  };
}

}  // namespace picket::rest

#include "api/rest/render.h"

#include "api/rest/auth.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;

json::value text_or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return json::string(text);
}

json::object render_avatar() {
  return {{"avatarType", "letter_avatar"}, {"avatarUuid", nullptr}, {"avatarUrl", nullptr}};
}

json::object render_user(const schema::User& user) {
  const auto id = std::to_string(user.id());
  const auto& name = user.name().empty() ? user.username() : user.name();
  const json::object email{{"id", id}, {"email", user.email()}, {"is_verified", true}};
  return {
      {"id", id},
      {"name", name},
      {"username", user.username()},
      {"email", user.email()},
      {"avatarUrl", ""},
      {"isActive", user.active()},
      {"isSuspended", false},
      {"hasPasswordAuth", false},
      {"isManaged", false},
      {"dateJoined", render_time(user.created_ms())},
      {"lastLogin", nullptr},
      {"has2fa", false},
      {"lastActive", nullptr},
      {"isSuperuser", false},
      {"isStaff", false},
      {"experiments", json::object()},
      {"emails", json::array{email}},
      {"avatar", render_avatar()},
  };
}

json::object parse_options(std::string_view options_json) {
  if (options_json.empty()) return {};
  json::error_code error;
  json::parse_options limits;
  limits.max_depth = 128;  // deeper than any body that was let in
  auto value = json::parse(options_json, error, {}, limits);
  if (error || !value.is_object()) return {};
  return std::move(value.as_object());
}

std::optional<std::string> merge_options(std::string_view options_json,
                                         const json::object& changes) {
  constexpr std::size_t most_bytes = 256 * 1024;
  auto options = parse_options(options_json);
  for (const auto& [name, value] : changes)
    options[name] = value;
  auto text = json::serialize(options);
  if (text.size() > most_bytes) return std::nullopt;
  return text;
}

json::value option(const json::object& options, std::string_view name, json::value fallback) {
  const auto* value = options.if_contains(name);
  return value == nullptr ? std::move(fallback) : *value;
}

json::array render_access(const Caller& caller) {
  json::array access;
  for (const auto scope : all_scopes) {
    if (scope.find(':') != std::string_view::npos && caller.can(scope))
      access.emplace_back(json::string(scope));
  }
  return access;
}

std::string_view role_name(std::string_view role) {
  if (role == "owner") return "Owner";
  if (role == "manager") return "Manager";
  if (role == "admin") return "Admin";
  return "Member";
}

namespace {

std::string_view role_description(std::string_view role) {
  if (role == "owner") return "May do everything in the organization.";
  if (role == "manager")
    return "May change the organization's settings, and add and remove members.";
  if (role == "admin") return "May create, change and remove teams and projects.";
  return "May see everything and work with issues.";
}

}  // namespace

json::array render_organization_roles(const Caller& caller) {
  json::array list;
  for (const std::string_view role : {"member", "admin", "manager", "owner"}) {
    json::array scopes;
    for (const auto scope : all_scopes) {
      if (scope.find(':') != std::string_view::npos && role_allows(role, scope))
        scopes.emplace_back(json::string(scope));
    }
    const bool allowed = caller.role.empty() || role_rank(caller.role) >= role_rank(role);
    const bool global = role_rank(role) >= role_rank("manager");
    list.push_back(json::object{{"id", role},
                                {"name", role_name(role)},
                                {"desc", role_description(role)},
                                {"scopes", std::move(scopes)},
                                {"allowed", allowed},
                                {"isAllowed", allowed},
                                {"isRetired", false},
                                {"is_global", global},
                                {"isGlobal", global},
                                {"isTeamRolesAllowed", true},
                                {"minimumTeamRole", role == "member" ? "contributor" : "admin"}});
  }
  return list;
}

json::array render_team_roles() {
  json::array list;
  for (const std::string_view role : {"contributor", "admin"}) {
    const bool admin = role == "admin";
    list.push_back(json::object{
        {"id", role},
        {"name", admin ? "Team Admin" : "Contributor"},
        {"desc", admin ? "May change the team and its projects." : "May work with issues."},
        {"scopes", json::array()},
        {"allowed", true},
        {"isAllowed", true},
        {"isRetired", false},
        {"isTeamRolesAllowed", true},
        {"isMinimumRoleFor", admin ? json::value("admin") : json::value(nullptr)}});
  }
  return list;
}

OrganizationView::OrganizationView(const buffer::Reader& reader,
                                   const Api& its_api,
                                   const Call& call)
    : api(its_api),
      caller(call.caller),
      organization(*call.organization),
      teams(rest::teams_of(reader, call.organization->id())),
      projects(projects_of(reader, call.organization->id())) {
  for (const auto& team : teams) {
    team_projects[team.id()] = team_project_ids(reader, team.id());
    team_members[team.id()] = team_member_ids(reader, team.id());
  }
}

std::vector<const schema::Team*> OrganizationView::teams_of_project(std::uint64_t project) const {
  std::vector<const schema::Team*> found;
  for (const auto& team : teams) {
    const auto& ids = team_projects.at(team.id());
    if (std::find(ids.begin(), ids.end(), project) != ids.end()) found.push_back(&team);
  }
  return found;
}

bool OrganizationView::is_member(std::uint64_t team) const {
  const auto& ids = team_members.at(team);
  return caller.member != 0 && std::find(ids.begin(), ids.end(), caller.member) != ids.end();
}

const schema::Project* OrganizationView::find_project(std::uint64_t id) const {
  const auto found = std::find_if(projects.begin(), projects.end(),
                                  [&](const schema::Project& one) { return one.id() == id; });
  return found == projects.end() ? nullptr : &*found;
}

json::object render_team(const OrganizationView& view, const schema::Team& team) {
  const bool member = view.is_member(team.id());
  return {
      {"id", std::to_string(team.id())},
      {"slug", team.slug()},
      {"name", team.name()},
      {"dateCreated", render_time(team.created_ms())},
      {"isMember", member},
      {"teamRole", member ? json::value("contributor") : json::value(nullptr)},
      {"flags", json::object{{"idp:provisioned", false}}},
      {"access", render_access(view.caller)},
      {"hasAccess", true},
      {"isPending", false},
      {"memberCount", view.team_members.at(team.id()).size()},
      {"avatar", render_avatar()},
  };
}

json::object render_team_with_projects(const OrganizationView& view, const schema::Team& team) {
  auto rendered = render_team(view, team);
  json::array projects;
  for (const auto id : view.team_projects.at(team.id())) {
    if (const auto* project = view.find_project(id))
      projects.push_back(render_project(view, *project));
  }
  rendered["projects"] = std::move(projects);
  rendered["externalTeams"] = json::array();
  return rendered;
}

json::object render_member(const buffer::Reader& reader, const schema::Member& member) {
  std::optional<schema::User> user;
  if (member.user() != 0) {
    user = buffer::find_row<schema::User>(reader, buffer::Table::users,
                                          buffer::Key().u64(member.user()));
  }
  const auto& email = user ? user->email() : member.email();
  const auto options = parse_options(member.options_json());
  return {
      {"id", std::to_string(member.id())},
      {"email", email},
      {"name", user && !user->name().empty() ? user->name() : email},
      {"user", user ? json::value(render_user(*user)) : json::value(nullptr)},
      {"role", member.role()},
      {"orgRole", member.role()},
      {"roleName", role_name(member.role())},
      {"pending", !user},
      {"expired", false},
      {"flags", json::object{{"idp:provisioned", false},
                             {"idp:role-restricted", false},
                             {"sso:linked", false},
                             {"sso:invalid", false},
                             {"member-limit:restricted", false},
                             {"partnership:restricted", false}}},
      {"dateCreated", render_time(member.created_ms())},
      {"inviteStatus", "approved"},
      {"inviterName", option(options, "inviterName", nullptr)},
  };
}

}  // namespace picket::rest

// Members of an organization: list, get, invite, update, delete; their teams.
#include "api/rest/auth.h"
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

// The member that the path names; "me" is the caller.
std::optional<schema::Member> find_member(const buffer::Reader& reader, const Call& call) {
  const auto text = call.path_text("member_id");
  const auto id = text == "me" ? call.caller.member : parse_id(text).value_or(0);
  return buffer::find_row<schema::Member>(reader, Table::members,
                                          Key().u64(call.organization->id()).u64(id));
}

bool is_only_owner(const buffer::Reader& reader, const schema::Member& member) {
  if (member.role() != "owner") return false;
  for (const auto& other : members_of(reader, member.organization())) {
    if (other.id() != member.id() && other.role() == "owner" && other.user() != 0) return false;
  }
  return true;
}

json::value team_role(const schema::Member& member, std::uint64_t team) {
  const auto options = parse_options(member.options_json());
  const auto* roles = options.if_contains("teamRoles");
  const auto* object = roles == nullptr ? nullptr : roles->if_object();
  const auto* role = object == nullptr ? nullptr : object->if_contains(std::to_string(team));
  return role == nullptr ? json::value("contributor") : *role;
}

json::object render_details(const buffer::Reader& reader,
                            const Call& call,
                            const schema::Member& member) {
  auto rendered = render_member(reader, member);
  json::array slugs;
  json::array roles;
  for (const auto& team : teams_of(reader, member.organization())) {
    if (!reader.get(Table::team_members, Key().u64(team.id()).u64(member.id()))) continue;
    slugs.emplace_back(team.slug());
    roles.push_back(
        json::object{{"teamSlug", team.slug()}, {"role", team_role(member, team.id())}});
  }
  rendered["teams"] = std::move(slugs);
  rendered["teamRoles"] = std::move(roles);
  rendered["invite_link"] = nullptr;
  rendered["isOnlyOwner"] = is_only_owner(reader, member);
  rendered["orgRoleList"] = render_organization_roles(call.caller);
  rendered["teamRoleList"] = render_team_roles();
  return rendered;
}

Reply list_members(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto query = call.query.text("query");
  json::array list;
  for (const auto& member : members_of(snapshot, call.organization->id())) {
    auto rendered = render_member(snapshot, member);
    const std::string_view email = rendered["email"].as_string();
    const std::string_view name = rendered["name"].as_string();
    if (contains_text(email, query) || contains_text(name, query))
      list.push_back(std::move(rendered));
  }
  return paginate(api, call, std::move(list));
}

Reply get_member(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto member = find_member(snapshot, call);
  return member ? Reply::json(render_details(snapshot, call, *member)) : Reply::not_found();
}

struct TeamRole {
  std::string slug;
  std::string role;
};

// What an invitation or an update asks for.
struct MemberChange {
  std::optional<std::string> role;
  std::optional<std::vector<TeamRole>> teams;
};

MemberChange parse_change(Fields& fields, const Call& call) {
  MemberChange change;
  change.role = fields.text("orgRole");
  if (!change.role) change.role = fields.text("role");
  if (change.role && !is_role(*change.role))
    fields.fail("orgRole", "\"" + *change.role + "\" is not a valid choice.");
  if (const auto* teams = fields.list("teamRoles")) {
    change.teams.emplace();
    for (const auto& item : *teams) {
      const auto* object = item.if_object();
      const auto* slug = object == nullptr ? nullptr : object->if_contains("teamSlug");
      const auto* role = object == nullptr ? nullptr : object->if_contains("role");
      const bool fits =
          slug != nullptr && slug->is_string() &&
          (role == nullptr || role->is_null() || *role == "contributor" || *role == "admin");
      if (!fits) {
        fields.fail("teamRoles",
                    "Each entry needs a teamSlug, and a role of contributor or admin.");
        break;
      }
      change.teams->push_back(
          {std::string(slug->as_string()),
           role == nullptr || role->is_null() ? "contributor" : std::string(role->as_string())});
    }
  } else if (const auto* slugs = fields.list("teams")) {
    change.teams.emplace();
    for (const auto& item : *slugs) {
      if (const auto slug = fields.text_item("teams", item, {}))
        change.teams->push_back({*slug, "contributor"});
    }
  }
  // Nobody hands out more than they have.
  const bool too_high = change.role && !call.caller.role.empty() &&
                        role_rank(*change.role) > role_rank(call.caller.role);
  if (too_high) fields.fail("orgRole", "You do not have permission to set that org-level role");
  return change;
}

// Puts the member into exactly these teams.
std::optional<Reply> set_teams(Batch& batch,
                               schema::Member& member,
                               const std::vector<TeamRole>& wanted) {
  json::object roles;
  std::vector<std::uint64_t> ids;
  for (const auto& [slug, role] : wanted) {
    const auto team = find_team(batch, member.organization(), slug);
    if (!team) return Reply::field_error("teamRoles", "Invalid team");
    ids.push_back(team->id());
    roles[std::to_string(team->id())] = role;
  }
  for (const auto& team : teams_of(batch, member.organization())) {
    const auto key = Key().u64(team.id()).u64(member.id());
    if (std::find(ids.begin(), ids.end(), team.id()) != ids.end()) {
      batch.put(Table::team_members, key, {});
    } else {
      batch.remove(Table::team_members, key);
    }
  }
  auto options =
      merge_options(member.options_json(), json::object{{"teamRoles", std::move(roles)}});
  if (!options) return Reply::error(400, "The settings are too large.");
  member.set_options_json(*std::move(options));
  return std::nullopt;
}

bool is_email(std::string_view text) {
  const auto at = text.find('@');
  return at != 0 && at != std::string_view::npos && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string_view::npos &&
         text.find_first_of(" \t\r\n<>,;\"") == std::string_view::npos;
}

bool email_taken(const buffer::Reader& reader, std::uint64_t organization, std::string_view email) {
  for (const auto& member : members_of(reader, organization)) {
    auto known = member.email();
    if (member.user() != 0) {
      const auto user =
          buffer::find_row<schema::User>(reader, Table::users, Key().u64(member.user()));
      if (user) known = user->email();
    }
    if (known.size() == email.size() && contains_text(known, email)) return true;
  }
  return false;
}

Reply invite(Api& api, const Call& call) {
  Fields fields(call);
  const auto email = fields.text("email", {.most = 75, .required = true});
  if (email && !is_email(*email)) fields.fail("email", "Enter a valid email address.");
  const auto change = parse_change(fields, call);
  if (auto refusal = fields.refusal()) return *refusal;
  schema::Member member;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (email_taken(batch, call.organization->id(), *email)) {
      return Reply::field_error("email", "The user " + *email + " is already a member");
    }
    member.set_organization(call.organization->id());
    member.set_email(*email);
    member.set_role(change.role.value_or("member"));
    if (call.caller.user) {
      member.set_options_json(
          json::serialize(json::object{{"inviterName", call.caller.user->name()}}));
    }
    member = create_member(batch, member, api.clock.now());
    auto refused = set_teams(batch, member, change.teams.value_or(std::vector<TeamRole>()));
    put_member(batch, member);
    return refused;
  });
  if (refusal) return *refusal;
  return Reply::json(render_member(api.tables.snapshot(), member), 201);
}

// May the caller change or remove this member, as far as roles go?
bool outranked(const Call& call, const schema::Member& member) {
  return !call.caller.role.empty() && role_rank(member.role()) > role_rank(call.caller.role);
}

Reply update(Api& api, const Call& call) {
  Fields fields(call);
  const auto change = parse_change(fields, call);
  if (auto refusal = fields.refusal()) return *refusal;
  std::optional<schema::Member> member;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    member = find_member(batch, call);
    if (!member) return Reply::not_found();
    // member:invite is for invitations that nobody has taken up.
    if (!call.caller.can("member:write") && member->user() != 0) return Reply::forbidden();
    if (outranked(call, *member)) return Reply::forbidden();
    const bool demotes = change.role && *change.role != member->role();
    if (demotes && member->id() == call.caller.member) {
      return Reply::error(400, "You cannot make changes to your own membership.");
    }
    if (demotes && is_only_owner(batch, *member)) {
      return Reply::error(403, "You cannot remove the only remaining owner of the organization.");
    }
    if (change.role) member->set_role(*change.role);
    auto refused = change.teams ? set_teams(batch, *member, *change.teams) : std::nullopt;
    put_member(batch, *member);
    return refused;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  return Reply::json(render_details(snapshot, call, *member));
}

Reply remove(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto member = find_member(batch, call);
    if (!member) return Reply::not_found();
    const bool oneself = member->id() == call.caller.member;
    if (!oneself && (!call.caller.can("member:admin") || outranked(call, *member)))
      return Reply::forbidden();
    if (is_only_owner(batch, *member)) {
      return Reply::error(403, "You cannot remove the only remaining owner of the organization.");
    }
    delete_member(batch, *member);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

// Joining and leaving teams: oneself, or with the right to write teams.
bool may_move(const Call& call, const schema::Member& member) {
  return member.id() == call.caller.member || call.caller.can("org:write") ||
         call.caller.can("team:write");
}

Reply join_team(Api& api, const Call& call) {
  bool already = false;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto member = find_member(batch, call);
    if (!member || !find_team(batch, call.organization->id(), std::to_string(call.team->id()))) {
      return Reply::not_found();
    }
    if (!may_move(call, *member)) return Reply::forbidden();
    const auto key = Key().u64(call.team->id()).u64(member->id());
    already = batch.get(Table::team_members, key).has_value();
    batch.put(Table::team_members, key, {});
    return std::nullopt;
  });
  if (refusal) return *refusal;
  if (already) return Reply::none();
  const auto snapshot = api.tables.snapshot();
  return Reply::json(render_team(OrganizationView(snapshot, api, call), *call.team), 201);
}

Reply leave_team(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto member = find_member(batch, call);
    if (!member) return Reply::not_found();
    if (!may_move(call, *member)) return Reply::forbidden();
    const auto key = Key().u64(call.team->id()).u64(member->id());
    if (!batch.get(Table::team_members, key)) return Reply::not_found();
    batch.remove(Table::team_members, key);
    return std::nullopt;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  return Reply::json(render_team(OrganizationView(snapshot, api, call), *call.team));
}

Reply set_team_role(Api& api, const Call& call) {
  Fields fields(call);
  const auto role = fields.text("teamRole");
  if (role && *role != "contributor" && *role != "admin")
    fields.fail("teamRole", "\"" + *role + "\" is not a valid choice.");
  if (auto refusal = fields.refusal()) return *refusal;
  const auto chosen = role.value_or("contributor");
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto member = find_member(batch, call);
    if (!member || !batch.get(Table::team_members, Key().u64(call.team->id()).u64(member->id()))) {
      return Reply::not_found();
    }
    if (!call.caller.can("org:write") && !call.caller.can("team:write")) return Reply::forbidden();
    const auto options = parse_options(member->options_json());
    json::object roles;
    const auto kept = option(options, "teamRoles", json::object());
    if (const auto* object = kept.if_object()) roles = *object;
    roles[std::to_string(call.team->id())] = chosen;
    auto merged = merge_options(member->options_json(), json::object{{"teamRoles", roles}});
    if (!merged) return Reply::error(400, "The settings are too large.");
    member->set_options_json(*std::move(merged));
    put_member(batch, *member);
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(json::object{{"isActive", true}, {"teamRole", chosen}});
}

}  // namespace

std::vector<Route> member_routes() {
  constexpr std::string_view all = "/api/0/organizations/{organization_id_or_slug}/members/";
  constexpr std::string_view one =
      "/api/0/organizations/{organization_id_or_slug}/members/{member_id}/";
  constexpr std::string_view team =
      "/api/0/organizations/{organization_id_or_slug}/members/{member_id}/teams/{team_id_or_slug}/";
  return {
      {"GET", all, {"member:read"}, list_members},
      {"POST", all, {"member:invite"}, invite},
      {"GET", one, {"member:read"}, get_member},
      {"PUT", one, {"member:invite"}, update},
      {"DELETE", one, {"member:read"}, remove},
      {"POST", team, {"org:read", "team:write"}, join_team},
      {"PUT", team, {"member:read", "org:read", "team:write"}, set_team_role},
      {"DELETE", team, {"org:read", "team:admin"}, leave_team},
  };
}

}  // namespace picket::rest

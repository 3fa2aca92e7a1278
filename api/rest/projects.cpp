// Projects: list, create, get, update, delete.
#include "api/rest/changes.h"
#include "api/rest/data_settings.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;

namespace {

constexpr std::string_view slug_complaint =
    "Enter a valid slug of lowercase letters, digits, underscores or hyphens, not of digits only.";

// Checked, kept, and echoed; intake acts on some of them (relay/filter/project_options.h).
const std::vector<Setting>& settings() {
  using enum SettingKind;
  static const std::vector<Setting> known = {
      {"isBookmarked", flag},
      {"options", object},
      {"digestsMinDelay", integer},
      {"digestsMaxDelay", integer},
      {"subjectPrefix", text},
      {"subjectTemplate", text},
      {"allowedDomains", list},
      {"resolveAge", integer},
      {"dataScrubber", flag},
      {"dataScrubberDefaults", flag},
      {"safeFields", list},
      {"sensitiveFields", list},
      {"storeCrashReports", integer},
      {"securityToken", text},
      {"securityTokenHeader", text},
      {"verifySSL", flag},
      {"scrubIPAddresses", flag},
      {"scrapeJavaScript", flag},
      {"enableAutoReleaseCreation", flag},
      {"highlightTags", list},
      {"highlightContext", object},
      {"groupingEnhancements", text},
      {"fingerprintingRules", text},
      {"defaultEnvironment", text},
      {"relayPiiConfig", text},
      {"builtinSymbolSources", list},
      {"symbolSources", text},
      {"scmSourceContextEnabled", flag},
      {"debugFilesRole", text},
      {"dynamicSamplingBiases", list},
  };
  return known;
}

Reply list_all_projects(Api& api, const Call& call) {
  auto caller = call.caller;
  json::array list;
  const auto snapshot = api.tables.snapshot();
  for (const auto& organization : organizations(snapshot)) {
    if (!admit_to_organization(snapshot, organization.id(), caller) || !caller.can("project:read"))
      continue;
    const Call within{call.request, caller, {}, call.query, nullptr, organization, {}, {}};
    const OrganizationView view(snapshot, api, within);
    for (const auto& project : search_projects(view, call.query.text("query"))) {
      auto rendered = render_project(view, project);
      rendered["organization"] = render_organization(api, organization);
      list.push_back(std::move(rendered));
    }
  }
  return paginate(api, call, std::move(list));
}

Reply get_project(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  return Reply::json(render_project_details(snapshot, view, *call.project));
}

// What the body of a creation asks for; the slug is "" when it is to be made from the name.
std::variant<NewProject, Reply> parse_new_project(const Call& call) {
  Fields fields(call);
  NewProject wanted;
  wanted.organization = call.organization->id();
  wanted.name = fields.text("name", {.most = 200, .required = true}).value_or("");
  wanted.slug = fields.text("slug", {.most = longest_slug}).value_or("");
  wanted.platform =
      fields.text("platform", {.most = 64, .required = false, .blank = true}).value_or("");
  if (!wanted.slug.empty() && !is_slug(wanted.slug)) fields.fail("slug", slug_complaint);
  fields.flag("default_rules");
  if (auto refusal = fields.refusal()) return *refusal;
  return wanted;
}

// Gives `wanted` its slug, or says that it is taken.
std::optional<Reply> settle_slug(const buffer::Reader& reader, NewProject& wanted) {
  if (wanted.slug.empty()) {
    wanted.slug = free_slug(reader, SlugKind::project, wanted.organization,
                            slug_from(wanted.name, "project"));
  } else if (slug_taken(reader, SlugKind::project, wanted.organization, wanted.slug)) {
    return Reply::error(409, "A project with this slug already exists.");
  }
  return std::nullopt;
}

Reply created(Api& api, const Call& call, const schema::Project& project) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  auto list = render_project_list(snapshot, view, {project});
  auto& rendered = list.front().as_object();
  if (const auto* team = rendered["team"].if_object()) rendered["team_slug"] = team->at("slug");
  return Reply::json(std::move(rendered), 201);
}

Reply create_in_team(Api& api, const Call& call) {
  auto parsed = parse_new_project(call);
  if (auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  auto& wanted = std::get<NewProject>(parsed);
  wanted.team = call.team->id();
  schema::Project project;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (auto taken = settle_slug(batch, wanted)) return taken;
    project = create_project(batch, wanted, api.clock.now());
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return created(api, call, project);
}

// The caller's own team, made when it does not exist: "team-<name>".
schema::Team own_team(Batch& batch, const Call& call, Time now) {
  const auto& user = *call.caller.user;
  const auto name =
      user.email().empty() ? user.username() : user.email().substr(0, user.email().find('@'));
  const auto slug = slug_from("team-" + name, "team");
  const auto organization = call.organization->id();
  if (auto team = find_team(batch, organization, slug)) return *team;
  auto team = create_team(batch, organization, slug, slug, now);
  batch.put(buffer::Table::team_members, buffer::Key().u64(team.id()).u64(call.caller.member), {});
  return team;
}

Reply create_in_organization(Api& api, const Call& call) {
  if (!call.caller.user)
    return Reply::error(400, "You do not have permission to join a new team as a Team Admin.");
  auto parsed = parse_new_project(call);
  if (auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  auto& wanted = std::get<NewProject>(parsed);
  schema::Project project;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (auto taken = settle_slug(batch, wanted)) return taken;
    wanted.team = own_team(batch, call, api.clock.now()).id();
    project = create_project(batch, wanted, api.clock.now());
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return created(api, call, project);
}

// Anyone who may read a project may bookmark it; the rest is for those who may write it.
bool only_bookmarks(const Call& call) {
  const auto* body = call.body.if_object();
  return body != nullptr && body->size() == 1 && body->contains("isBookmarked");
}

struct ProjectChange {
  std::optional<std::string> name;
  std::optional<std::string> slug;
  std::optional<std::string> platform;
  json::object options;
};

std::optional<Reply> apply(Batch& batch, schema::Project& row, const ProjectChange& change) {
  if (change.slug && *change.slug != row.slug()) {
    if (slug_taken(batch, SlugKind::project, row.organization(), *change.slug)) {
      return Reply::field_error("slug", "Another project is already using that slug");
    }
    rename_project(batch, row, *change.slug);
  }
  if (change.name) row.set_name(*change.name);
  if (change.platform) row.set_platform(*change.platform);
  auto changes = change.options;
  merge_option_map(row.options_json(), changes);
  auto options = merge_options(row.options_json(), changes);
  if (!options) return Reply::error(400, "The settings are too large.");
  row.set_options_json(*std::move(options));
  put_project(batch, row);
  return std::nullopt;
}

Reply update_project(Api& api, const Call& call) {
  if (!call.caller.can("project:write") && !only_bookmarks(call)) return Reply::forbidden();
  Fields fields(call);
  ProjectChange change;
  change.name = fields.text("name", {.most = 200});
  change.slug = fields.text("slug", {.most = longest_slug});
  if (change.slug && !is_slug(*change.slug)) fields.fail("slug", slug_complaint);
  change.platform = fields.text("platform", {.most = 64, .required = false, .blank = true});
  if (fields.is_null("platform")) change.platform = "";
  fields.keep(settings(), change.options);
  check_data_settings(fields, change.options);
  if (auto refusal = fields.refusal()) return *refusal;

  schema::Project changed;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto row = find_project(batch, call.organization->id(), std::to_string(call.project->id()));
    if (!row) return Reply::not_found();
    auto refused = apply(batch, *row, change);
    changed = *row;
    return refused;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  return Reply::json(render_project_details(snapshot, view, changed));
}

Reply remove_project(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto row =
        find_project(batch, call.organization->id(), std::to_string(call.project->id()));
    if (!row) return Reply::not_found();
    delete_project(batch, *row);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

}  // namespace

std::vector<Route> project_routes() {
  constexpr std::string_view one =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/";
  return {
      {"GET", "/api/0/projects/", {"project:read"}, list_all_projects},
      {"GET", one, {"project:read"}, get_project},
      {"PUT", one, {"project:read"}, update_project},
      {"DELETE", one, {"project:admin"}, remove_project},
      {"POST",
       "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}/projects/",
       {"project:write"},
       create_in_team},
      {"POST",
       "/api/0/organizations/{organization_id_or_slug}/projects/",
       {"project:read"},
       create_in_organization},
  };
}

}  // namespace picket::rest

// Organizations: list, get, update; and their projects (list).
#include "api/rest/changes.h"
#include "api/rest/data_settings.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"
#include "relay/filter/target_rate.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;

namespace {

// Checked, kept, and echoed; intake acts on those of scrubbing and sampling. The value is the neutral one.
const std::vector<std::pair<Setting, json::value>>& settings() {
  using enum SettingKind;
  static const std::vector<std::pair<Setting, json::value>> known = {
      {{"isEarlyAdopter", flag}, false},
      {{"hideAiFeatures", flag}, true},
      {{"defaultRole", text}, "member"},
      {{"openMembership", flag}, true},
      {{"eventsMemberAdmin", flag}, true},
      {{"alertsMemberWrite", flag}, true},
      {{"attachmentsRole", text}, "member"},
      {{"debugFilesRole", text}, "admin"},
      {{"require2FA", flag}, false},
      {{"allowSharedIssues", flag}, true},
      {{"enhancedPrivacy", flag}, false},
      {{"scrapeJavaScript", flag}, false},
      {{"storeCrashReports", integer}, 0},
      {{"allowJoinRequests", flag}, false},
      {{"dataScrubber", flag}, false},
      {{"dataScrubberDefaults", flag}, false},
      {{"sensitiveFields", list}, json::array()},
      {{"safeFields", list}, json::array()},
      {{"scrubIPAddresses", flag}, false},
      {{"relayPiiConfig", text}, nullptr},
      {{"trustedRelays", list}, json::array()},
      {{"relayDsnEndpoint", text}, nullptr},
      {{"issueAlertsThreadFlag", flag}, false},
      {{"metricAlertsThreadFlag", flag}, false},
      {{"samplingMode", text}, "organization"},
      {{"targetSampleRate", rate}, 1.0},
  };
  return known;
}

}  // namespace

json::object render_organization(const Api& api, const schema::Organization& organization) {
  const auto options = parse_options(organization.options_json());
  // Clients insist on https for a region; an empty one keeps them on the host they know.
  const bool tls = api.public_url.starts_with("https://");
  return {
      {"id", std::to_string(organization.id())},
      {"slug", organization.slug()},
      {"name", organization.name()},
      {"status", json::object{{"id", "active"}, {"name", "active"}}},
      {"dateCreated", render_time(organization.created_ms())},
      {"isEarlyAdopter", option(options, "isEarlyAdopter", false)},
      {"require2FA", option(options, "require2FA", false)},
      {"requireEmailVerification", false},
      {"avatar", render_avatar()},
      {"features", json::array()},
      {"links", json::object{{"organizationUrl",
                              api.public_url + "/organizations/" + organization.slug() + "/"},
                             {"regionUrl", tls ? api.public_url : ""}}},
      {"hasAuthProvider", false},
      {"allowMemberInvite", true},
      {"allowMemberProjectCreation", true},
      {"allowSuperuserAccess", false},
  };
}

json::object render_organization_details(const buffer::Reader& reader,
                                         const OrganizationView& view) {
  auto rendered = render_organization(view.api, view.organization);
  const auto options = parse_options(view.organization.options_json());
  for (const auto& [setting, neutral] : settings()) {
    const auto* kept = options.if_contains(setting.name);
    rendered[setting.name] = kept == nullptr || kept->is_null() ? neutral : *kept;
  }
  const auto& role = view.caller.role;
  rendered["role"] = text_or_null(role);
  if (!role.empty()) rendered["orgRole"] = role;
  rendered["access"] = render_access(view.caller);
  rendered["experiments"] = json::object();
  rendered["isDefault"] = true;
  rendered["orgRoleList"] = render_organization_roles(view.caller);
  rendered["availableRoles"] = json::array();
  rendered["teamRoleList"] = render_team_roles();
  rendered["pendingAccessRequests"] = 0;
  rendered["onboardingTasks"] = json::array();
  rendered["aggregatedDataConsent"] = false;
  rendered["isDynamicallySampled"] = std::ranges::any_of(view.projects, [&](const schema::Project& project) {
    return filter::read_target_rate(project.options_json(), view.organization.options_json()).rate < 1;
  });
  rendered["requiresSso"] = false;
  rendered["defaultAutofixAutomationTuning"] = "off";
  rendered["defaultSeerScannerAutomation"] = false;
  rendered["enableSeerCoding"] = false;
  rendered["defaultCodingAgent"] = "";
  rendered["defaultCodingAgentIntegrationId"] = nullptr;
  rendered["defaultAutomatedRunStoppingPoint"] = "";
  rendered["autoEnableCodeReview"] = false;
  rendered["autoOpenPrs"] = false;
  rendered["defaultCodeReviewTriggers"] = json::array();
  json::array teams;
  for (const auto& team : view.teams)
    teams.push_back(render_team(view, team));
  rendered["teams"] = std::move(teams);
  rendered["projects"] = render_project_list(reader, view, view.projects);
  return rendered;
}

namespace {

Reply list_organizations(Api& api, const Call& call) {
  const auto wanted = call.query.text("query");
  const bool owned = call.query.text("owner") == "1" || call.query.text("owner") == "true";
  auto caller = call.caller;
  json::array list;
  const auto snapshot = api.tables.snapshot();
  for (const auto& organization : organizations(snapshot)) {
    if (!admit_to_organization(snapshot, organization.id(), caller)) continue;
    if (!contains_text(organization.name(), wanted) && !contains_text(organization.slug(), wanted))
      continue;
    auto rendered = render_organization(api, organization);
    if (!owned) {
      list.push_back(std::move(rendered));
    } else if (caller.role == "owner") {
      list.push_back(json::object{{"organization", std::move(rendered)}, {"singleOwner", true}});
    }
  }
  return paginate(api, call, std::move(list));
}

Reply get_organization(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  if (call.query.text("detailed") == "0") {
    return Reply::json(render_organization(api, *call.organization));
  }
  return Reply::json(render_organization_details(snapshot, OrganizationView(snapshot, api, call)));
}

std::optional<Reply> check_roles(Fields& fields) {
  for (const std::string_view name : {"defaultRole", "attachmentsRole", "debugFilesRole"}) {
    const auto role = fields.text(name);
    const bool known =
        !role || *role == "member" || *role == "admin" || *role == "manager" || *role == "owner";
    if (!known) fields.fail(name, "\"" + *role + "\" is not a valid choice.");
  }
  return fields.refusal();
}

Reply update_organization(Api& api, const Call& call) {
  Fields fields(call);
  const auto name = fields.text("name", {.most = 64});
  const auto slug = fields.text("slug", {.most = longest_slug});
  if (slug && !is_slug(*slug)) {
    fields.fail("slug",
                "Enter a valid slug of lowercase letters, digits, underscores or hyphens, not of "
                "digits only.");
  }
  json::object changes;
  std::vector<Setting> known;
  for (const auto& [setting, neutral] : settings())
    known.push_back(setting);
  fields.keep(known, changes);
  check_data_settings(fields, changes);
  if (auto refusal = check_roles(fields)) return *refusal;

  auto changed = *call.organization;
  auto refusal = change_tables(api, [&](buffer::Batch& batch) -> std::optional<Reply> {
    const auto key = buffer::Key().u64(call.organization->id());
    auto row = buffer::find_row<schema::Organization>(batch, buffer::Table::organizations, key);
    if (!row) return Reply::not_found();
    if (slug && *slug != row->slug()) {
      if (slug_taken(batch, SlugKind::organization, 0, *slug)) {
        return Reply::field_error("slug", "The slug \"" + *slug + "\" is already in use.");
      }
      batch.remove(buffer::Table::slugs, slug_key(SlugKind::organization, 0, row->slug()));
      batch.put(buffer::Table::slugs, slug_key(SlugKind::organization, 0, *slug), key);
      row->set_slug(*slug);
    }
    if (name) row->set_name(*name);
    auto options = merge_options(row->options_json(), changes);
    if (!options) return Reply::error(400, "The settings are too large.");
    row->set_options_json(*std::move(options));
    buffer::put_row(batch, buffer::Table::organizations, key, *row);
    if (!changes.empty()) raise_projects_generation(batch);
    changed = *row;
    return std::nullopt;
  });
  if (refusal) return *refusal;
  const auto snapshot = api.tables.snapshot();
  const Call now{call.request, call.caller, call.path, call.query, call.body, changed, {}, {}};
  return Reply::json(render_organization_details(snapshot, OrganizationView(snapshot, api, now)));
}

Reply list_projects(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const OrganizationView view(snapshot, api, call);
  const auto matches = search_projects(view, call.query.text("query"));
  return paginate(api, call, render_project_list(snapshot, view, matches));
}

}  // namespace

bool contains_text(std::string_view text, std::string_view part) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

std::vector<schema::Project> search_projects(const OrganizationView& view, std::string_view query) {
  std::vector<schema::Project> matches;
  while (query.starts_with(' '))
    query.remove_prefix(1);
  const bool by_slug = query.starts_with("slug:");
  const bool by_id = query.starts_with("id:");
  if (by_slug || by_id) query.remove_prefix(query.find(':') + 1);
  for (const auto& project : view.projects) {
    const bool found =
        by_slug ? project.slug() == query
        : by_id ? std::to_string(project.id()) == query
                : contains_text(project.slug(), query) || contains_text(project.name(), query);
    if (found) matches.push_back(project);
  }
  // As Sentry lists them.
  std::sort(matches.begin(), matches.end(),
            [](const schema::Project& a, const schema::Project& b) { return a.slug() < b.slug(); });
  return matches;
}

std::vector<Route> organization_routes() {
  return {
      {"GET", "/api/0/organizations/", {"org:read"}, list_organizations},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/", {"org:read"}, get_organization},
      {"PUT",
       "/api/0/organizations/{organization_id_or_slug}/",
       {"org:write"},
       update_organization},
      {"GET",
       "/api/0/organizations/{organization_id_or_slug}/projects/",
       {"org:read"},
       list_projects},
  };
}

}  // namespace picket::rest

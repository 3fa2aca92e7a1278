// Projects and their keys as JSON, in the three sizes that the document has.
#include "api/rest/data_settings.h"
#include "api/rest/grouping_info.h"
#include "api/rest/render.h"
#include "relay/filter/target_rate.h"
#include "relay/protocol/dsn.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;

namespace {

// A colour that stays the project's own: from its slug.
std::string color_of(std::string_view slug) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto hash = buffer::stable_hash(slug);
  std::string color = "#";
  for (int shift = 20; shift >= 0; shift -= 4)
    color += digits[(hash >> shift) & 0xf];
  return color;
}

json::array render_team_refs(const std::vector<const schema::Team*>& teams) {
  json::array list;
  for (const auto* team : teams) {
    list.push_back(json::object{
        {"id", std::to_string(team->id())}, {"slug", team->slug()}, {"name", team->name()}});
  }
  return list;
}

json::array render_platforms(const schema::Project& project) {
  json::array platforms;
  if (!project.platform().empty()) platforms.emplace_back(project.platform());
  return platforms;
}

json::value render_latest(const std::map<std::uint64_t, std::string>& latest,
                          std::uint64_t project) {
  const auto found = latest.find(project);
  if (found == latest.end()) return nullptr;
  return json::object{{"version", found->second}};
}

}  // namespace

json::object render_project(const OrganizationView& view, const schema::Project& project) {
  const auto teams = view.teams_of_project(project.id());
  const bool member = std::any_of(teams.begin(), teams.end(), [&](const schema::Team* team) {
    return view.is_member(team->id());
  });
  json::object rendered{
      {"id", std::to_string(project.id())},
      {"slug", project.slug()},
      {"name", project.name()},
      {"platform", text_or_null(project.platform())},
      {"dateCreated", render_time(project.created_ms())},
      {"isBookmarked", option(parse_options(project.options_json()), "isBookmarked", false)},
      {"isMember", member},
      {"features", json::array()},
      {"firstEvent", render_time(project.first_event_ms())},
      {"access", render_access(view.caller)},
      {"hasAccess", true},
      {"isInternal", false},
      {"isPublic", false},
      {"avatar", render_avatar()},
      {"color", color_of(project.slug())},
      {"status", project.status() == 0 ? "active" : "disabled"},
  };
  for (const std::string_view feature : {"firstTransactionEvent",
                                         "hasFeedbacks",
                                         "hasFlags",
                                         "hasMinifiedStackTrace",
                                         "hasMonitors",
                                         "hasNewFeedbacks",
                                         "hasProfiles",
                                         "hasReplays",
                                         "hasSessions",
                                         "hasInsightsHttp",
                                         "hasInsightsDb",
                                         "hasInsightsAssets",
                                         "hasInsightsAppStart",
                                         "hasInsightsScreenLoad",
                                         "hasInsightsVitals",
                                         "hasInsightsCaches",
                                         "hasInsightsQueues",
                                         "hasInsightsAgentMonitoring",
                                         "hasInsightsMCP",
                                         "hasLogs",
                                         "hasTraceMetrics"}) {
    rendered[feature] = false;
  }
  return rendered;
}

json::array render_project_list(const buffer::Reader& reader,
                                const OrganizationView& view,
                                const std::vector<schema::Project>& projects) {
  const auto latest = latest_releases(reader, view.organization.id());
  json::array list;
  for (const auto& project : projects) {
    auto rendered = render_project(view, project);
    auto teams = render_team_refs(view.teams_of_project(project.id()));
    rendered["team"] = teams.empty() ? json::value(nullptr) : teams.front();
    rendered["teams"] = std::move(teams);
    rendered["platforms"] = render_platforms(project);
    rendered["hasUserReports"] = false;
    json::array environments;
    for (const auto& name : environment_names(reader, project.id()))
      environments.emplace_back(name);
    rendered["environments"] = std::move(environments);
    rendered["latestRelease"] = render_latest(latest, project.id());
    rendered["latestDeploys"] = nullptr;
    list.push_back(std::move(rendered));
  }
  return list;
}

json::object render_project_details(const buffer::Reader& reader,
                                    const OrganizationView& view,
                                    const schema::Project& project) {
  auto rendered = render_project(view, project);
  auto teams = render_team_refs(view.teams_of_project(project.id()));
  if (!teams.empty()) rendered["team"] = teams.front();
  rendered["teams"] = std::move(teams);
  rendered["latestRelease"] =
      render_latest(latest_releases(reader, view.organization.id()), project.id());
  rendered["organization"] = render_organization(view.api, view.organization);
  rendered["platforms"] = render_platforms(project);
  rendered["processingIssues"] = 0;

  json::object settings{
      {"options", json::object()},
      {"digestsMinDelay", 300},
      {"digestsMaxDelay", 1800},
      {"subjectPrefix", ""},
      {"allowedDomains", json::array{"*"}},
      {"resolveAge", 0},
      {"dataScrubber", true},
      {"dataScrubberDefaults", true},
      {"safeFields", json::array()},
      {"storeCrashReports", nullptr},
      {"sensitiveFields", json::array()},
      {"subjectTemplate", "$shortID - $title"},
      {"securityToken", ""},
      {"securityTokenHeader", nullptr},
      {"verifySSL", true},
      {"scrubIPAddresses", false},
      {"scrapeJavaScript", false},
      {"enableAutoReleaseCreation", true},
      {"highlightTags", json::array()},
      {"highlightContext", json::object()},
      {"highlightPreset", json::object{{"tags", json::array()}, {"context", json::object()}}},
      {"groupingConfig", grouping_config_id},
      {"derivedGroupingEnhancements", ""},
      {"groupingEnhancements", ""},
      {"secondaryGroupingExpiry", 0},
      {"secondaryGroupingConfig", nullptr},
      {"fingerprintingRules", ""},
      {"defaultEnvironment", nullptr},
      {"relayPiiConfig", nullptr},
      {"builtinSymbolSources", json::array()},
      {"symbolSources", "[]"},
      {"tempestFetchScreenshots", false},
      {"autofixAutomationTuning", "off"},
      {"seerScannerAutomation", false},
      {"seerNightshiftTweaks", nullptr},
      {"scmSourceContextEnabled", false},
      {"debugFilesRole", nullptr},
  };
  const auto options = parse_options(project.options_json());
  for (auto& [name, neutral] : settings) {
    const auto* kept = options.if_contains(name);
    // A setting that was cleared reads as its neutral value.
    rendered[name] = kept == nullptr || kept->is_null() ? neutral : *kept;
  }
  rendered["dynamicSamplingBiases"] = render_biases(project.options_json());
  rendered["isDynamicallySampled"] =
      filter::read_target_rate(project.options_json(), view.organization.options_json()).rate < 1;
  return rendered;
}

std::string render_public_dsn(std::string_view public_url,
                              std::string_view key,
                              std::uint64_t project) {
  const auto authority = public_url.find("://");
  if (authority == std::string_view::npos) return {};
  std::string dsn(public_url.substr(0, authority + 3));
  dsn += key;
  dsn += '@';
  dsn += public_url.substr(authority + 3);
  return dsn + "/" + std::to_string(project);
}

json::object render_key(const Api& api, const schema::ProjectKey& key) {
  const auto& hex = key.public_key();
  const auto& url = api.public_url;
  const auto base = url + "/api/" + std::to_string(key.project());
  const auto by_query = "/?sentry_key=" + hex;
  const auto options = parse_options(key.options_json());
  json::value rate_limit;
  if (key.rate_limit_count() != 0) {
    rate_limit =
        json::object{{"window", key.rate_limit_window_s()}, {"count", key.rate_limit_count()}};
  }
  const json::object no_loader{{"hasReplay", false},
                               {"hasPerformance", false},
                               {"hasDebug", false},
                               {"hasFeedback", false},
                               {"hasLogsAndMetrics", false}};
  json::object dsn{
      {"secret",
       render_public_dsn(url, hex + (key.secret_key().empty() ? "" : ":" + key.secret_key()),
                         key.project())},
      {"public", render_public_dsn(url, hex, key.project())},
      {"csp", base + "/csp-report" + by_query},
      {"security", base + "/security" + by_query},
      {"minidump", base + "/minidump" + by_query},
      {"nel", base + "/nel" + by_query},
      {"unreal", base + "/unreal/" + hex + "/"},
      {"crons", base + "/cron/___MONITOR_SLUG___/" + hex + "/"},
      {"cdn", url + "/js-sdk-loader/" + hex + ".min.js"},
      {"playstation", base + "/playstation" + by_query},
      {"integration", base + "/integration/"},
      {"otlp_traces", base + "/integration/otlp/v1/traces"},
      {"otlp_logs", base + "/integration/otlp/v1/logs"},
  };
  return {
      {"id", hex},
      {"name", key.label()},
      {"label", key.label()},
      {"public", hex},
      {"secret", text_or_null(key.secret_key())},
      {"projectId", key.project()},
      {"isActive", !key.disabled()},
      {"rateLimit", std::move(rate_limit)},
      {"dsn", std::move(dsn)},
      {"browserSdkVersion", option(options, "browserSdkVersion", "latest")},
      {"browserSdk", json::object{{"choices", json::array{json::array{"latest", "latest"},
                                                          json::array{"7.x", "7.x"}}}}},
      {"dateCreated", render_time(key.created_ms())},
      {"dynamicSdkLoaderOptions", option(options, "dynamicSdkLoaderOptions", no_loader)},
      {"useCase", option(options, "useCase", "user")},
  };
}

}  // namespace picket::rest

#include "upstream/config.h"

#include "upstream/routes.h"
#include "upstream/selector.h"

#include <algorithm>
#include <set>

namespace picket::upstream {

void bind(Settings& settings, DestinationConfig& config) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  settings.text("name", config.name);
  settings.text("dsn", config.dsn);
  settings.text("url", config.url);
  settings.map("projects", config.projects);
  settings.text("mode", config.mode);
  const auto words = [&settings](std::string_view name, WordsConfig& field) {
    settings.list("include_" + std::string(name), field.include);
    settings.list("exclude_" + std::string(name), field.exclude);
  };
  words("projects", config.routing.projects);
  words("categories", config.routing.categories);
  words("environments", config.routing.environments);
  words("releases", config.routing.releases);
  words("levels", config.routing.levels);
  settings.map("sample_rates", config.sample_rates);
  settings.duration("report_unsent", config.report_unsent, milliseconds(0), hours(24));
  settings.text("proxy", config.proxy);
  settings.text("ca_file", config.ca_file);
  settings.flag("insecure", config.insecure);
  settings.text("client_certificate", config.client_certificate);
  settings.text("client_key", config.client_key);
  settings.number("max_in_flight", config.max_in_flight, 0, 1'024);
  settings.duration("connect_timeout", config.connect_timeout, milliseconds(100), hours(1));
  settings.duration("stall_timeout", config.stall_timeout, seconds(1), hours(24));
  settings.duration("retry_min", config.retry_min, milliseconds(1), hours(1));
  settings.duration("retry_max", config.retry_max, milliseconds(1), hours(24));
  settings.duration("probe_every", config.probe_every, milliseconds(0), hours(1));
  settings.duration("hold_probe", config.hold_probe, milliseconds(1), hours(24));
  settings.text("compression", config.compression);
  settings.number("compression_level", config.compression_level, 1, 19);
  settings.text("batch", config.batch);
  settings.flag("backfill", config.backfill);
  bind(settings, config.link);
  settings.text("status_sync", config.status_sync);
  settings.duration("status_interval", config.status_interval, milliseconds(100), hours(24));
  settings.text("api_url", config.api_url);
  settings.text("api_organization", config.api_organization);
  settings.text("api_token", config.api_token);
  settings.text("api_token_file", config.api_token_file);
  settings.text("relay_credentials_file", config.relay_credentials_file);
  settings.duration("relay_register_every", config.relay_register_every, milliseconds(0), hours(24));
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 4'096 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

namespace {

bool is_slug(const std::string& text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == std::string::npos;
}

std::string sync_problem_of(const DestinationConfig& config) {
  const auto& mode = config.status_sync;
  if (mode != "off" && mode != "send" && mode != "receive" && mode != "both") {
    return "status_sync must be off, send, receive or both";
  }
  if (!config.api_token.empty() && !config.api_token_file.empty()) return "set either api_token or api_token_file, not both";
  if (!is_token(config.api_token) && !config.api_token.empty()) return "api_token must be one word of printable characters";
  if (!config.syncs()) return {};
  if (!is_slug(config.api_organization)) return "status_sync needs api_organization, the organization's slug over there";
  if (config.api_token.empty() && config.api_token_file.empty()) return "status_sync needs api_token_file (or api_token)";
  if (!config.api_url.empty() && !parse_origin(config.api_url)) return "api_url must look like https://sentry.example.com";
  return {};
}

std::string problem_of(const DestinationConfig& config) {
  if (config.client_certificate.empty() != config.client_key.empty()) {
    return "client_certificate and client_key go together: set both or none";
  }
  if (config.compression != "zstd" && config.compression != "br" && config.compression != "gzip" && config.compression != "identity") {
    return "compression must be zstd, br, gzip or identity";
  }
  if (config.batch != "auto" && config.batch != "never") return "batch must be auto or never";
  if (config.mode != "mirror" && config.mode != "forward-only") return "mode must be mirror or forward-only";
  if (config.retry_max < config.retry_min) return "retry_max must not be less than retry_min";
  if (config.name.find_first_of("\"\\\n\r\t /") != std::string::npos || config.name.size() > 100) {
    return "name must be at most 100 characters, without spaces, quotes and slashes";
  }
  if (const auto selector = Selector::make(config); !selector) return selector.error().detail;
  if (auto problem = problem_of(config.link); !problem.empty()) return problem;
  return sync_problem_of(config);
}

}  // namespace

Result<std::vector<DestinationConfig>> checked(std::vector<DestinationConfig> configs) {
  std::set<std::string> names;
  for (DestinationConfig& config : configs) {
    const auto routes = make_routes(config);
    if (!routes) return routes.error();
    if (config.name.empty()) config.name = routes->host();
    auto problem = problem_of(config);
    if (problem.empty() && config.managed() && !routes->one_origin()) {
      problem = "a Relay registers with one upstream: with relay_credentials_file all of projects must be at the same address";
    }
    if (!problem.empty()) {
      return Error{Fault::malformed, "[[upstream]] \"" + config.name + "\": " + problem};
    }
    if (!names.insert(config.name).second) {
      return Error{Fault::malformed, "[[upstream]]: two destinations are called \"" + config.name +
                                         "\"; give each a name of its own"};
    }
  }
  return configs;
}

}  // namespace picket::upstream

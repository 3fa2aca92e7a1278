#include "upstream/config.h"

#include "upstream/routes.h"

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
  settings.text("proxy", config.proxy);
  settings.text("ca_file", config.ca_file);
  settings.flag("insecure", config.insecure);
  settings.text("client_certificate", config.client_certificate);
  settings.text("client_key", config.client_key);
  settings.number("max_in_flight", config.max_in_flight, 1, 1'000);
  settings.duration("connect_timeout", config.connect_timeout, milliseconds(100), hours(1));
  settings.duration("stall_timeout", config.stall_timeout, seconds(1), hours(24));
  settings.duration("retry_min", config.retry_min, milliseconds(1), hours(1));
  settings.duration("retry_max", config.retry_max, milliseconds(1), hours(24));
  settings.duration("hold_probe", config.hold_probe, milliseconds(1), hours(24));
  settings.text("compression", config.compression);
  settings.number("compression_level", config.compression_level, 1, 19);
  settings.flag("backfill", config.backfill);
}

namespace {

std::string problem_of(const DestinationConfig& config) {
  if (config.client_certificate.empty() != config.client_key.empty()) {
    return "client_certificate and client_key go together: set both or none";
  }
  if (config.compression != "zstd" && config.compression != "gzip" && config.compression != "identity") {
    return "compression must be zstd, gzip or identity";
  }
  if (config.retry_max < config.retry_min) return "retry_max must not be less than retry_min";
  if (config.name.find_first_of("\"\\\n\r\t /") != std::string::npos || config.name.size() > 100) {
    return "name must be at most 100 characters, without spaces, quotes and slashes";
  }
  return {};
}

}  // namespace

Result<std::vector<DestinationConfig>> checked(std::vector<DestinationConfig> configs) {
  std::set<std::string> names;
  for (DestinationConfig& config : configs) {
    const auto routes = make_routes(config);
    if (!routes) return routes.error();
    if (config.name.empty()) config.name = routes->host();
    if (const auto problem = problem_of(config); !problem.empty()) {
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

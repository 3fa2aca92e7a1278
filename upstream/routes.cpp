#include "upstream/routes.h"

#include <algorithm>

namespace picket::upstream {
namespace {

// A DSN with any key in front of it is the one grammar for "scheme, host, port, path".
Result<relay::Dsn> parse_url(std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto wrong = [] {
    return Error{Fault::malformed, "url must look like https://sentry.example.com"};
  };
  if (scheme_end == std::string_view::npos) return wrong();
  auto rest = url.substr(scheme_end + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("@?#") != std::string_view::npos) return wrong();
  auto parsed = relay::parse_dsn(std::string(url.substr(0, scheme_end + 3)) +
                                 "00000000000000000000000000000000@" + std::string(rest) + "/1");
  if (!parsed) return wrong();
  return parsed;
}

Error in(const DestinationConfig& config, const std::string& words) {
  const std::string which = config.name.empty() ? "[[upstream]]" : "[[upstream]] \"" + config.name + "\"";
  return Error{Fault::malformed, which + ": " + words};
}

}  // namespace

std::string render_url(const Target& target) {
  return target.origin + "/api/" + std::to_string(target.project) + "/envelope/";
}

void move_to(Target& target, relay::ProjectId project) {
  target.dsn.erase(target.dsn.rfind('/') + 1);
  target.dsn += std::to_string(project);
  target.project = project;
}

Target Routes::at(const Place& place, relay::ProjectId project, const relay::ProjectKey& key) const {
  relay::Dsn dsn = place.dsn;
  if (place.keeps_project) dsn.project = project;
  if (place.keeps_key) dsn.key = key;
  return {relay::render_origin(dsn), dsn.project, dsn.key.hex, relay::render_dsn(dsn)};
}

Result<Target> Routes::find_target(relay::ProjectId project, std::string_view raw_key) const {
  if (only_) return *only_;
  const auto mapped = projects_.find(project);
  const Place& place = mapped == projects_.end() ? rest_ : mapped->second;
  if (!place.keeps_key) return at(place, project, {});
  const auto key = relay::project_key_from_raw(raw_key);
  if (!key) return Error{Fault::malformed, "the record has no key to send with"};
  return at(place, project, *key);
}

relay::ProjectId Routes::project_there(relay::ProjectId project) const {
  const auto mapped = projects_.find(project);
  const Place& place = mapped == projects_.end() ? rest_ : mapped->second;
  return place.keeps_project ? project : place.dsn.project;
}

bool Routes::one_origin() const {
  return std::all_of(projects_.begin(), projects_.end(), [&](const auto& one) { return relay::render_origin(one.second.dsn) == origin(); });
}

std::string Routes::origin() const {
  return relay::render_origin(rest_.dsn);
}

std::string Routes::host() const {
  return rest_.dsn.host;
}

Result<std::string> parse_origin(std::string_view url) {
  const auto parsed = parse_url(url);
  if (!parsed) return parsed.error();
  return relay::render_origin(*parsed);
}

Result<Routes> make_routes(const DestinationConfig& config) {
  if (config.dsn.empty() == config.url.empty()) {
    return in(config, config.dsn.empty()
                          ? "set dsn (everything to one project there) or url (same projects and keys there)"
                          : "set either dsn or url, not both");
  }
  Routes routes;
  const auto rest = config.dsn.empty() ? parse_url(config.url) : relay::parse_dsn(config.dsn);
  if (!rest && config.dsn.empty()) return in(config, rest.error().detail);
  if (!rest) return in(config, "dsn must look like https://<32 hex digits>@host/<project id>: " + rest.error().detail);
  const bool by_url = config.dsn.empty();
  routes.rest_ = {*rest, by_url, by_url};

  for (const auto& [from, to] : config.projects) {
    const auto local = relay::parse_project_id(from);
    if (!local) return in(config, "projects: \"" + from + "\" is not a project id of this Picket");
    if (const auto dsn = relay::parse_dsn(to)) {
      routes.projects_[*local] = {*dsn, false, false};
      continue;
    }
    const auto id = relay::parse_project_id(to);
    if (!id || !by_url) {
      return in(config, "projects: \"" + from + "\" must be given a DSN" +
                            (by_url ? " or the project's id at url" : ""));
    }
    relay::Dsn place = *rest;
    place.project = *id;
    routes.projects_[*local] = {place, true, false};
  }
  if (!by_url && routes.projects_.empty()) routes.only_ = routes.at(routes.rest_, 0, {});
  return routes;
}

}  // namespace picket::upstream

#include "relay/ingest/route.h"

#include "relay/ingest/endpoint.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

constexpr std::string_view api = "/api/";

// "a/b/c" → ("a", "b/c"); without a slash the rest is empty.
std::pair<std::string_view, std::string_view> split_segment(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string_view without_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Words that no project is called.
bool is_reserved(std::string_view project) {
  return project == "0" || project == "relay" || project == "embed";
}

bool take_segment(std::string_view pattern, std::string_view segment, Route& route) {
  if (!pattern.starts_with('{')) return pattern == segment;
  if (segment.empty()) return false;
  if (pattern == "{project}") {
    route.project = segment;
    return !is_reserved(segment);
  }
  (pattern == "{key}" ? route.key : route.name) = segment;
  return true;
}

// Both without their outer slashes.
std::optional<Route> match(std::string_view pattern, std::string_view path) {
  Route route;
  while (true) {
    const auto [wanted, wanted_rest] = split_segment(pattern);
    const auto [segment, rest] = split_segment(path);
    if (!take_segment(wanted, segment, route)) return std::nullopt;
    if (wanted_rest.empty() != rest.empty()) return std::nullopt;
    if (rest.empty()) return route;
    pattern = wanted_rest;
    path = rest;
  }
}

}  // namespace

std::string_view endpoint_name(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::envelope: return "envelope";
    case Endpoint::store: return "store";
    case Endpoint::security: return "security";
    case Endpoint::nel: return "nel";
    case Endpoint::cron: return "cron";
    case Endpoint::vercel_logs: return "vercel_logs";
    case Endpoint::otlp_traces: return "otlp_traces";
    case Endpoint::otlp_logs: return "otlp_logs";
    case Endpoint::minidump: return "minidump";
    case Endpoint::unreal: return "unreal";
    case Endpoint::attachments: return "attachments";
    case Endpoint::upload: return "upload";
    case Endpoint::error_page: return "error_page";
    case Endpoint::js_loader: return "js_loader";
    case Endpoint::js_bundle: return "js_bundle";
    case Endpoint::batch: return "batch";
    case Endpoint::live: return "live";
    case Endpoint::ready: return "ready";
    case Endpoint::metrics: return "metrics";
    case Endpoint::unknown: return "unknown";
  }
  std::abort();
}

bool owns_path(std::string_view path) {
  if (without_slash(path) == "/metrics") return true;
  if (path.starts_with(api)) {
    const auto first = split_segment(path.substr(api.size())).first;
    if (first == "0") return false;
    if (first == "relay" || all_digits(first)) return true;
  }
  // A project that is no number is told so, where an SDK would send it.
  return find_route(path).endpoint != Endpoint::unknown;
}

Route find_route(std::string_view path) {
  path = without_slash(path);
  if (!path.starts_with('/')) return {};
  path.remove_prefix(1);
  for (const auto& rule : endpoint_rules()) {
    if (auto route = match(rule.pattern, path)) {
      route->endpoint = rule.endpoint;
      return *route;
    }
  }
  if (path == "api/relay/healthcheck/live") return {Endpoint::live, {}, {}, {}};
  if (path == "api/relay/healthcheck/ready") return {Endpoint::ready, {}, {}, {}};
  if (path == "metrics") return {Endpoint::metrics, {}, {}, {}};
  return {};
}

}  // namespace picket::ingest

#include "relay/ingest/route.h"

#include <algorithm>
#include <cstdlib>
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

Endpoint find_project_endpoint(std::string_view name) {
  if (name == "envelope") return Endpoint::envelope;
  if (name == "store") return Endpoint::store;
  return Endpoint::unknown;
}

Endpoint find_relay_endpoint(std::string_view name) {
  if (name == "healthcheck/live") return Endpoint::live;
  if (name == "healthcheck/ready") return Endpoint::ready;
  return Endpoint::unknown;
}

}  // namespace

std::string_view endpoint_name(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::envelope: return "envelope";
    case Endpoint::store: return "store";
    case Endpoint::live: return "live";
    case Endpoint::ready: return "ready";
    case Endpoint::metrics: return "metrics";
    case Endpoint::unknown: return "unknown";
  }
  std::abort();
}

bool owns_path(std::string_view path) {
  if (without_slash(path) == "/metrics") return true;
  if (!path.starts_with(api)) return false;
  const auto [first, rest] = split_segment(path.substr(api.size()));
  if (first == "0") return false;
  if (first == "relay" || all_digits(first)) return true;
  // A project that is no number is told so, where an SDK would send it.
  return find_route(path).endpoint != Endpoint::unknown;
}

Route find_route(std::string_view path) {
  if (without_slash(path) == "/metrics") return {Endpoint::metrics, {}};
  if (!path.starts_with(api)) return {};
  const auto [first, rest] = split_segment(path.substr(api.size()));
  if (first == "0" || first.empty()) return {};
  if (first == "store" && rest.empty()) return {Endpoint::store, {}};
  if (first == "relay") return {find_relay_endpoint(without_slash(rest)), {}};
  return {find_project_endpoint(without_slash(rest)), first};
}

}  // namespace picket::ingest

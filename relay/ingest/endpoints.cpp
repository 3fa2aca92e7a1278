#include "relay/ingest/endpoint.h"
#include "relay/ingest/store_body.h"

#include <algorithm>
#include <array>

namespace picket::ingest {
namespace {

std::size_t envelope_bytes(const IngestConfig& config) {
  return static_cast<std::size_t>(config.max_envelope_bytes);
}

// An event as base64 is a third larger than its JSON.
std::size_t store_bytes(const IngestConfig& config) {
  return static_cast<std::size_t>(2 * config.max_event_bytes);
}

constexpr std::array rules{
    EndpointRule{.endpoint = Endpoint::envelope,
                 .pattern = "api/{project}/envelope",
                 .most_bytes = envelope_bytes},
    EndpointRule{.endpoint = Endpoint::store,
                 .pattern = "api/{project}/store",
                 .convert = convert_store,
                 .most_bytes = store_bytes},
    EndpointRule{.endpoint = Endpoint::store,
                 .pattern = "api/store",
                 .convert = convert_store,
                 .most_bytes = store_bytes},
};

}  // namespace

std::span<const EndpointRule> endpoint_rules() {
  return rules;
}

const EndpointRule* find_rule(Endpoint endpoint) {
  const auto* const found = std::find_if(
      rules.begin(), rules.end(),
      [endpoint](const EndpointRule& rule) { return rule.endpoint == endpoint; });
  return found == rules.end() ? nullptr : found;
}

const EndpointRule* find_rule(const Route& route, const http::RequestHead& head) {
  const bool envelope =
      route.endpoint == Endpoint::store &&
      head.headers.find("Content-Type").starts_with("application/x-sentry-envelope");
  return find_rule(envelope ? Endpoint::envelope : route.endpoint);
}

bool allows(const EndpointRule& rule, std::string_view method) {
  auto left = rule.methods;
  while (true) {
    const auto comma = left.find(", ");
    if (left.substr(0, comma) == method) return true;
    if (comma == std::string_view::npos) return false;
    left.remove_prefix(comma + 2);
  }
}

}  // namespace picket::ingest

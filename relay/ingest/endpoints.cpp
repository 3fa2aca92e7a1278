#include "relay/ingest/check_in.h"
#include "relay/ingest/endpoint.h"
#include "relay/ingest/file_uploads.h"
#include "relay/ingest/error_page.h"
#include "relay/ingest/js_loader.h"
#include "relay/ingest/network_errors.h"
#include "relay/ingest/otlp_endpoint.h"
#include "relay/ingest/security_reports.h"
#include "relay/ingest/store_body.h"
#include "relay/ingest/vercel_logs.h"

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

std::size_t event_bytes(const IngestConfig& config) {
  return static_cast<std::size_t>(config.max_event_bytes);
}

std::size_t check_in_bytes(const IngestConfig& /*config*/) {
  return std::size_t{100} << 10;
}

std::size_t container_bytes(const IngestConfig& /*config*/) {
  return std::size_t{12} << 20;
}

// All files together, and what a form says around them.
std::size_t file_bytes(const IngestConfig& config) {
  return static_cast<std::size_t>(config.max_attachment_bytes + (std::uint64_t{1} << 20));
}

constexpr EndpointRule security_at(std::string_view pattern) {
  return {.endpoint = Endpoint::security,
          .pattern = pattern,
          .convert = convert_security,
          .most_bytes = event_bytes};
}

// The answer to a check-in decides whether somebody's job fails.
constexpr EndpointRule check_in_at(std::string_view pattern) {
  return {.endpoint = Endpoint::cron,
          .pattern = pattern,
          .methods = "GET, HEAD, POST",
          .convert = convert_check_in,
          .most_bytes = check_in_bytes,
          .may_answer_429 = false};
}

std::size_t form_bytes(const IngestConfig& /*config*/) {
  return std::size_t{64} << 10;
}

constexpr std::array rules{
    EndpointRule{.endpoint = Endpoint::envelope,
                 .pattern = "api/{project}/envelope",
                 .most_bytes = envelope_bytes},
    EndpointRule{.endpoint = Endpoint::store,
                 .pattern = "api/{project}/store",
                 .methods = "GET, POST",
                 .convert = convert_store,
                 .most_bytes = store_bytes},
    EndpointRule{.endpoint = Endpoint::store,
                 .pattern = "api/store",
                 .methods = "GET, POST",
                 .convert = convert_store,
                 .most_bytes = store_bytes},
    security_at("api/{project}/security"),
    security_at("api/{project}/csp-report"),
    EndpointRule{.endpoint = Endpoint::nel,
                 .pattern = "api/{project}/nel",
                 .convert = convert_network_errors,
                 .most_bytes = event_bytes,
                 .may_answer_429 = false},
    check_in_at("api/{project}/cron/{name}"),
    check_in_at("api/{project}/cron/{name}/{key}"),
    check_in_at("api/{project}/crons/{name}"),
    check_in_at("api/{project}/crons/{name}/{key}"),
    EndpointRule{.endpoint = Endpoint::vercel_logs,
                 .pattern = "api/{project}/integration/vercel/logs",
                 .convert = convert_vercel_logs,
                 .most_bytes = container_bytes},
    EndpointRule{.endpoint = Endpoint::otlp_traces,
                 .pattern = "api/{project}/integration/otlp/v1/traces",
                 .convert = convert_otlp_traces,
                 .most_bytes = container_bytes},
    EndpointRule{.endpoint = Endpoint::otlp_logs,
                 .pattern = "api/{project}/integration/otlp/v1/logs",
                 .convert = convert_otlp_logs,
                 .most_bytes = container_bytes},
    // Crash reporters never try again, and show their users what they are answered.
    EndpointRule{.endpoint = Endpoint::minidump,
                 .pattern = "api/{project}/minidump",
                 .convert = convert_minidump,
                 .most_bytes = file_bytes,
                 .may_answer_429 = false,
                 .takes_long = true},
    EndpointRule{.endpoint = Endpoint::unreal,
                 .pattern = "api/{project}/unreal/{key}",
                 .convert = convert_unreal,
                 .most_bytes = file_bytes,
                 .may_answer_429 = false,
                 .takes_long = true},
    EndpointRule{.endpoint = Endpoint::attachments,
                 .pattern = "api/{project}/events/{name}/attachments",
                 .convert = convert_attachments,
                 .most_bytes = file_bytes},
    // Takes nothing in by itself, and answers for itself: upload_endpoint.h.
    EndpointRule{.endpoint = Endpoint::upload, .pattern = "api/{project}/upload", .methods = ""},
    EndpointRule{.endpoint = Endpoint::upload, .pattern = "api/{project}/upload/{name}", .methods = ""},
    // Likewise: batch_endpoint.h.
    EndpointRule{.endpoint = Endpoint::batch, .pattern = "api/picket/batch", .methods = ""},
    EndpointRule{.endpoint = Endpoint::error_page,
                 .pattern = "api/embed/error-page",
                 .convert = convert_error_page,
                 .most_bytes = form_bytes,
                 .page = error_page},
    EndpointRule{.endpoint = Endpoint::js_loader,
                 .pattern = "js-sdk-loader/{name}",
                 .methods = "",
                 .page = js_loader},
    EndpointRule{.endpoint = Endpoint::js_bundle,
                 .pattern = "js-sdk-bundle/bundle.js",
                 .methods = "",
                 .page = js_bundle},
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
  while (!left.empty()) {
    const auto comma = left.find(", ");
    if (left.substr(0, comma) == method) return true;
    if (comma == std::string_view::npos) return false;
    left.remove_prefix(comma + 2);
  }
  return false;
}

std::string allowed_methods(const EndpointRule& rule) {
  std::string methods = rule.page == nullptr ? "" : "GET, HEAD, ";
  if (!rule.methods.empty()) methods.append(rule.methods).append(", ");
  return methods + "OPTIONS";
}

}  // namespace picket::ingest

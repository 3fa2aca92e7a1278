// Which of ingest's endpoints a path names. Paths come with runs of '/' folded; the trailing slash
// is optional. What an endpoint takes and answers stands in its rule (endpoint.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace picket::ingest {

enum class Endpoint : std::uint8_t {
  envelope,     // /api/{project}/envelope/
  store,        // /api/{project}/store/ and /api/store/
  security,     // /api/{project}/security/ and /api/{project}/csp-report/
  nel,          // /api/{project}/nel/
  cron,         // /api/{project}/cron/{slug}[/{key}]/, also crons
  vercel_logs,  // /api/{project}/integration/vercel/logs/
  otlp_traces,  // /api/{project}/integration/otlp/v1/traces/
  otlp_logs,    // /api/{project}/integration/otlp/v1/logs/
  minidump,     // /api/{project}/minidump/
  unreal,       // /api/{project}/unreal/{key}/
  attachments,  // /api/{project}/events/{id}/attachments/
  upload,       // /api/{project}/upload/ and /api/{project}/upload/{id}/
  error_page,   // /api/embed/error-page/
  js_loader,    // /js-sdk-loader/{key}.js
  js_bundle,    // /js-sdk-bundle/bundle.js
  batch,        // /api/picket/batch/
  live,         // /api/relay/healthcheck/live/
  ready,        // /api/relay/healthcheck/ready/
  metrics,      // /metrics
  unknown,      // below a prefix of ours, but nothing there
};
constexpr std::size_t endpoint_count = static_cast<std::size_t>(Endpoint::unknown) + 1;
std::string_view endpoint_name(Endpoint endpoint);

// What the path says beside the endpoint. Views into the path, percent-encoding kept, "" where the
// endpoint's pattern has no such part.
struct Route {
  Endpoint endpoint = Endpoint::unknown;
  std::string_view project;  // as written; "" also for the legacy /api/store/
  std::string_view key;      // a public key in the path
  std::string_view name;     // what else the path names: a monitor's slug, an event's id, an upload
};

// Is the path ours at all? Everything below /api/0/ belongs to the REST API.
bool owns_path(std::string_view path);
Route find_route(std::string_view path);

}  // namespace picket::ingest

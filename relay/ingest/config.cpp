#include "relay/ingest/config.h"

namespace picket::ingest {

void bind(Settings& settings, IngestConfig& config) {
  constexpr std::uint64_t kib = 1024;
  constexpr std::uint64_t gib = kib * kib * kib;
  settings.bytes("max_envelope_bytes", config.max_envelope_bytes, kib, gib);
  settings.bytes("max_event_bytes", config.max_event_bytes, kib, gib);
  settings.bytes("max_attachment_bytes", config.max_attachment_bytes, kib, gib);
  settings.bytes("max_uploads_bytes", config.max_uploads_bytes, kib * kib, kib * gib);
  settings.number("max_uploads", config.max_uploads, 1, 100'000);
  settings.duration("upload_max_age", config.upload_max_age, std::chrono::minutes(1), std::chrono::days(31));
  settings.bytes("max_profile_bytes", config.max_profile_bytes, kib, gib);
  settings.bytes("max_replay_bytes", config.max_replay_bytes, kib, gib);
  settings.number("max_items", config.max_items, 1, 1'000'000);
  settings.list("low_value", config.low_value);
  settings.text("js_sdk_file", config.js_sdk_file);
  settings.text("js_sdk_url", config.js_sdk_url);
}

void bind(Settings& settings, QuotaConfig& config) {
  constexpr std::uint64_t most = std::uint64_t{1} << 53;
  settings.text("id", config.id);
  settings.list("categories", config.categories);
  settings.text("scope", config.scope);
  settings.number("project", config.project, 0, most);
  settings.number("limit", config.limit, 0, most);
  settings.duration("window", config.window, std::chrono::seconds(1), std::chrono::days(31));
  settings.text("reason", config.reason);
}

}  // namespace picket::ingest

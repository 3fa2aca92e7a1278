// The section [ingest]: what is taken from SDKs, and how large it may be.
#pragma once

#include "buffer/clock.h"
#include "buffer/settings.h"

#include <cstdint>
#include <string>
#include <vector>

namespace picket::ingest {

// One [[quota]]: how much of some categories may come in a window of time.
struct QuotaConfig {
  std::string id;                       // names its counter; default: its place in the file
  std::vector<std::string> categories;  // error, transaction, attachment (bytes), …; empty: all
  std::string scope = "project";        // what is counted together: organization, project or key
  std::uint64_t project = 0;            // the project it is for, 0: every one
  std::uint64_t limit = 0;              // in one window; 0: nothing at all
  Duration window = std::chrono::minutes(1);
  std::string reason;  // reason code of what is refused; default by scope: project_quota, …
};

struct IngestConfig {
  // Of one envelope after decompression. Price: up to three times as much of the spool while it is
  // worked on.
  std::uint64_t max_envelope_bytes = std::uint64_t{200} << 20;
  // All event-like items of an envelope together. Price: the digest parses each in one piece.
  std::uint64_t max_event_bytes = std::uint64_t{1} << 20;
  // All attachments of an envelope together. Price: disk, and minutes of a slow upstream link.
  std::uint64_t max_attachment_bytes = std::uint64_t{200} << 20;
  // Resumable uploads that no envelope has referred to yet: their bytes together (out of the spool's
  // room), their number, and how long one is kept after its last byte. One key gets at most half of
  // either: no more than is then left for others. Price of less: 503 for a new one, or for the next
  // bytes of one under way, until there is room again.
  std::uint64_t max_uploads_bytes = std::uint64_t{2} << 30;
  std::uint64_t max_uploads = 1'000;
  Duration upload_max_age = std::chrono::hours(24);
  // One profile or profile chunk. Price: as for attachments.
  std::uint64_t max_profile_bytes = std::uint64_t{50} << 20;
  // One replay recording or video. Price: as for attachments.
  std::uint64_t max_replay_bytes = std::uint64_t{10} << 20;
  // Items of one envelope. Price: some 150 bytes of memory each while it is looked at.
  std::uint64_t max_items = 10'000;
  // Categories that are refused while the journal has less room than storage.low_room_bytes: what is
  // worth least. Price of more of them: they are lost first; of none: errors are refused with the rest.
  std::vector<std::string> low_value = {"transaction", "span", "profile", "profile_chunk", "profile_chunk_ui",
                                        "replay", "replay_video", "log_item", "trace_metric", "metric_bucket"};
  // A bundle of the JavaScript SDK that the loader fetches: a file that is served here (read at the
  // start), or where it is. Price of the file: its size in memory.
  std::string js_sdk_file;
  std::string js_sdk_url;
  std::vector<QuotaConfig> quotas;  // [[quota]], bound one by one
};

void bind(Settings& settings, IngestConfig& config);
void bind(Settings& settings, QuotaConfig& config);

}  // namespace picket::ingest

// The section [ingest]: what is taken from SDKs, and how large it may be.
#pragma once

#include "buffer/settings.h"

#include <cstdint>
#include <string>

namespace picket::ingest {

struct IngestConfig {
  // Of one envelope after decompression. Price: every I/O thread may hold two of this size at once.
  std::uint64_t max_envelope_bytes = std::uint64_t{100} << 20;
  // All event-like items of an envelope together. Price: the digest parses each in one piece.
  std::uint64_t max_event_bytes = std::uint64_t{1} << 20;
  // All attachments of an envelope together. Price: disk, and minutes of a slow upstream link.
  std::uint64_t max_attachment_bytes = std::uint64_t{100} << 20;
  // One profile or profile chunk. Price: as for attachments.
  std::uint64_t max_profile_bytes = std::uint64_t{50} << 20;
  // One replay recording or video. Price: as for attachments.
  std::uint64_t max_replay_bytes = std::uint64_t{10} << 20;
  // Items of one envelope. Price: some 150 bytes of memory each while it is looked at.
  std::uint64_t max_items = 10'000;
  // A bundle of the JavaScript SDK that the loader fetches: a file that is served here (read at the
  // start), or where it is. Price of the file: its size in memory.
  std::string js_sdk_file;
  std::string js_sdk_url;
};

void bind(Settings& settings, IngestConfig& config);

}  // namespace picket::ingest

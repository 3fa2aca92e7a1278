// The parts of replay items.
//
//   replay_recording := {"segment_id": N} '\n' body     body: a JSON array of rrweb's events,
//                                                        deflated (zlib, gzip) or as it is
//   replay_video     := msgpack map: replay_event, replay_recording, replay_video, each bytes
//
// THREADS  Every function from any thread.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/content_encoding.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace picket::relay {

// The parts of a replay_video item: views into it, empty when they are not there.
struct ReplayVideo {
  std::string_view event;      // JSON
  std::string_view recording;  // as a replay_recording item
  std::string_view video;      // an MP4 file
};
// Tolerant: what is no msgpack map of byte strings gives empty parts.
ReplayVideo split_replay_video(std::string_view msgpack);

// What shall stand for the value of this key; nothing: it stays.
using RewritePart = std::function<std::optional<std::string>(std::string_view key, std::string_view value)>;
// The map with other values; every other byte as it was. Nothing when no value changes. Values that
// split_replay_video() does not see are not asked about.
std::optional<std::string> rewrite_replay_video(std::string_view msgpack, const RewritePart& rewrite);

// A recording cut at its header line.
struct Recording {
  std::string_view header;           // with the line's end
  std::string_view body;
  Coding coding = Coding::identity;  // of the body: identity, gzip or deflate
};
// Fault::malformed without a header line.
Result<Recording> split_recording(std::string_view recording);

// The JSON array of a recording, inflated when need be; the header line is dropped. Fault::malformed
// for what is neither JSON nor deflated, Fault::too_large past `max_bytes`.
Result<std::string> recording_json(std::string_view recording, std::size_t max_bytes);

}  // namespace picket::relay

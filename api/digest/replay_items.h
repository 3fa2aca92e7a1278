// The parts of replay items that REST reads too.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace picket::digest {

// The parts of a replay_video item: views into it, empty when they are not there.
struct ReplayVideo {
  std::string_view event;      // JSON
  std::string_view recording;  // as a replay_recording item
  std::string_view video;      // an MP4 file
};
// Tolerant: what is no msgpack map of byte strings gives empty parts.
ReplayVideo split_replay_video(std::string_view msgpack);

// The JSON array of a recording, inflated when need be; the header line is dropped. Fault::malformed
// for what is neither JSON nor deflated, Fault::too_large past `max_bytes`.
Result<std::string> recording_json(std::string_view recording, std::size_t max_bytes);

}  // namespace picket::digest

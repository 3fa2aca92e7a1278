// What a batch says about replays and profiles; the sections that replay_items.cpp and
// profile_items.cpp fill and replay_writer.cpp writes.
#pragma once

#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace picket::digest {

// One replay_event: what this segment adds to its replay.
struct ReplayUpdate {
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
  schema::Replay row;  // as if the segment were all there is
};
// One replay_recording (or replay_video).
struct ReplaySegmentRow {
  std::uint64_t project = 0;
  std::string replay_id;  // 16 raw bytes
  std::uint32_t segment = 0;
  schema::PlacedItem place;
};
struct ProfileRow {
  std::uint64_t project = 0;
  std::string profile_id;  // 16 raw bytes
  schema::Profile row;
};
struct ProfileChunkRow {
  std::uint64_t project = 0;
  std::string profiler_id;  // 16 raw bytes
  std::string chunk_id;
  std::int64_t start_ms = 0;
  schema::PlacedItem place;
};

struct ReplaySection {
  std::vector<ReplayUpdate> updates;
  std::vector<ReplaySegmentRow> segments;
  std::vector<ProfileRow> profiles;
  std::vector<ProfileChunkRow> chunks;

  struct Mark {
    std::size_t updates = 0;
    std::size_t segments = 0;
    std::size_t profiles = 0;
    std::size_t chunks = 0;
  };
  Mark mark() const { return {updates.size(), segments.size(), profiles.size(), chunks.size()}; }
  void take_back(const Mark& mark) {
    updates.resize(mark.updates);
    segments.resize(mark.segments);
    profiles.resize(mark.profiles);
    chunks.resize(mark.chunks);
  }
};

// Adds what a segment says to what is known of its replay: times widen, lists grow without repeating
// (100 entries at most), single values are those of the latest segment. The order of segments does not
// matter, and the same segment twice changes nothing.
void merge_replay(schema::Replay& known, const schema::Replay& segment);

}  // namespace picket::digest

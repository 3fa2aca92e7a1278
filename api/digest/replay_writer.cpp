// The sections of replays and profiles, and what goes with a record that the journal let go of.
#include "api/digest/batch_writer.h"
#include "api/digest/placed.h"
#include "api/digest/replay_section.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

constexpr int most_listed = 100;

template <class List>
void join(List& known, const List& added) {
  for (const auto& text : added) {
    if (known.size() >= most_listed) return;
    if (std::find(known.begin(), known.end(), text) == known.end()) *known.Add() = text;
  }
}

void join_tags(schema::Replay& known, const schema::Replay& segment) {
  for (const auto& tag : segment.tags()) {
    auto* tags = known.mutable_tags();
    auto found = std::find_if(tags->begin(), tags->end(),
                              [&](const auto& one) { return one.key() == tag.key(); });
    if (found != tags->end()) {
      join(*found->mutable_values(), tag.values());
    } else if (tags->size() < most_listed) {
      *known.add_tags() = tag;
    }
  }
}

Key replay_key(std::uint64_t project, std::string_view id) {
  return std::move(Key().u64(project).raw(id));
}

void write_replay_updates(WriteContext& context) {
  for (const auto& update : context.parsed.replays.updates) {
    if (!context.projects.contains(update.row.project())) continue;
    const auto key = replay_key(update.row.project(), update.row.replay_id());
    auto row = buffer::find_row<schema::Replay>(context.batch, Table::replays, key);
    if (row && row->archived()) continue;
    if (!row) row = schema::Replay();
    merge_replay(*row, update.row);
    buffer::put_row(context.batch, Table::replays, key, *row);
    context.batch.put(Table::placed,
                      placed_key({update.sequence, update.item, PlacedTable::replay}, key), "");
  }
}

void write_segments(WriteContext& context) {
  for (const auto& segment : context.parsed.replays.segments) {
    if (!context.projects.contains(segment.project)) continue;
    const auto key = Key().u64(segment.project).raw(segment.replay_id).u32(segment.segment);
    if (context.batch.get(Table::replay_segments, key)) continue;  // sent twice: the first stays
    const auto replay = buffer::find_row<schema::Replay>(
        context.batch, Table::replays, replay_key(segment.project, segment.replay_id));
    if (replay && replay->archived()) continue;
    buffer::put_row(context.batch, Table::replay_segments, key, segment.place);
    const auto item = static_cast<std::uint16_t>(segment.place.item());
    context.batch.put(Table::placed,
                      placed_key({segment.place.sequence(), item, PlacedTable::segment}, key), "");
  }
}

void write_profiles(WriteContext& context) {
  for (const auto& profile : context.parsed.replays.profiles) {
    if (!context.projects.contains(profile.project)) continue;
    const auto key = Key().u64(profile.project).raw(profile.profile_id);
    buffer::put_row(context.batch, Table::profiles, key, profile.row);
    const auto item = static_cast<std::uint16_t>(profile.row.item());
    context.batch.put(Table::placed,
                      placed_key({profile.row.sequence(), item, PlacedTable::profile}, key), "");
  }
  for (const auto& chunk : context.parsed.replays.chunks) {
    if (!context.projects.contains(chunk.project)) continue;
    const auto key = Key()
                         .u64(chunk.project)
                         .raw(chunk.profiler_id)
                         .u64(static_cast<std::uint64_t>(chunk.start_ms))
                         .raw(chunk.chunk_id);
    buffer::put_row(context.batch, Table::profile_chunks, key, chunk.place);
    const auto item = static_cast<std::uint16_t>(chunk.place.item());
    context.batch.put(Table::placed,
                      placed_key({chunk.place.sequence(), item, PlacedTable::chunk}, key), "");
  }
}

}  // namespace

void merge_replay(schema::Replay& known, const schema::Replay& segment) {
  const bool first = known.replay_id().empty();
  const bool newer = first || segment.finished_ms() >= known.finished_ms();
  known.set_replay_id(segment.replay_id());
  known.set_project(segment.project());
  known.set_started_ms(first ? segment.started_ms()
                             : std::min(known.started_ms(), segment.started_ms()));
  known.set_finished_ms(std::max(known.finished_ms(), segment.finished_ms()));
  known.set_segments(std::max(known.segments(), segment.segments()));
  known.set_last_sequence(std::max(known.last_sequence(), segment.last_sequence()));
  join(*known.mutable_urls(), segment.urls());
  join(*known.mutable_error_ids(), segment.error_ids());
  join(*known.mutable_trace_ids(), segment.trace_ids());
  join(*known.mutable_releases(), segment.releases());
  join_tags(known, segment);
  const auto single = [&](const std::string& value, std::string* field) {
    if (!value.empty() && (newer || field->empty())) *field = value;
  };
  single(segment.environment(), known.mutable_environment());
  single(segment.platform(), known.mutable_platform());
  single(segment.dist(), known.mutable_dist());
  single(segment.replay_type(), known.mutable_replay_type());
  single(segment.user_id(), known.mutable_user_id());
  single(segment.user_email(), known.mutable_user_email());
  single(segment.user_username(), known.mutable_user_username());
  single(segment.user_ip(), known.mutable_user_ip());
  single(segment.sdk_name(), known.mutable_sdk_name());
  single(segment.sdk_version(), known.mutable_sdk_version());
  single(segment.os_name(), known.mutable_os_name());
  single(segment.os_version(), known.mutable_os_version());
  single(segment.browser_name(), known.mutable_browser_name());
  single(segment.browser_version(), known.mutable_browser_version());
  single(segment.device_name(), known.mutable_device_name());
  single(segment.device_brand(), known.mutable_device_brand());
  single(segment.device_model(), known.mutable_device_model());
  single(segment.device_family(), known.mutable_device_family());
}

void write_replays(WriteContext& context) {
  write_replay_updates(context);
  write_segments(context);
  write_profiles(context);
}

}  // namespace picket::digest

// replay_event, replay_recording, replay_video, profile and profile_chunk items.
#include "api/digest/fact_values.h"
#include "api/digest/item_reader.h"
#include "api/digest/user_agent.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/json_repair.h"
#include "relay/protocol/recording.h"

#include <algorithm>
#include <string>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

constexpr std::size_t most_listed = 100;

void invalid(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  add_raw(context, item, index, context.header_id);
  context.count(relay::category_of(item), Outcome::invalid, "invalid_json", 1);
}

template <class Add>
void each_text(JsonObject object, std::string_view name, Add add) {
  JsonArray list;
  if (object[name].get(list) != simdjson::SUCCESS) return;
  std::size_t left = most_listed;
  for (const auto entry : list) {
    std::string_view text;
    if (left-- == 0) return;
    if (entry.get(text) == simdjson::SUCCESS && !text.empty())
      add(std::string(first_characters(text, 1000)));
  }
}

std::string id_text_of(std::string_view text) {
  const auto raw = raw_id(text);
  return raw.empty() ? std::string() : relay::render_hex(raw);
}

void read_user(JsonObject payload, const EnvelopeContext& context, schema::Replay& row) {
  const auto user = object_member_of(payload, "user");
  if (!user) return;
  TextArena arena(256);
  const auto text = [&](std::string_view name) {
    const auto value = known_member_of(*user, name);
    return std::string(value ? text_of(*value, arena, {128, 0}) : std::string_view());
  };
  row.set_user_id(text("id"));
  row.set_user_email(text("email"));
  row.set_user_username(text("username"));
  auto ip = text("ip_address");
  if (ip == "{{auto}}") ip = context.meta.remote_address();
  row.set_user_ip(relay::repair_utf8(ip));
}

void read_contexts(JsonObject payload, schema::Replay& row) {
  const auto contexts = object_member_of(payload, "contexts");
  if (!contexts) return;
  const auto text = [&](std::string_view context, std::string_view name) {
    const auto object = object_member_of(*contexts, context);
    return object ? std::string(first_characters(string_member(*object, name), 200)) : std::string();
  };
  row.set_os_name(text("os", "name"));
  row.set_os_version(text("os", "version"));
  row.set_browser_name(text("browser", "name"));
  row.set_browser_version(text("browser", "version"));
  row.set_device_name(text("device", "name"));
  row.set_device_brand(text("device", "brand"));
  row.set_device_model(text("device", "model"));
  row.set_device_family(text("device", "family"));
}

// The header of the page's request, as an object or as pairs; else of the one that brought the replay.
std::string_view user_agent_of(JsonObject payload, const EnvelopeContext& context) {
  const auto is_agent = [](std::string_view name) {
    constexpr std::string_view lower = "user-agent";
    return std::ranges::equal(name, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
  };
  const auto request = object_member_of(payload, "request");
  const auto headers = request ? known_member_of(*request, "headers") : std::nullopt;
  std::string_view text;
  JsonObject object;
  if (headers && headers->get(object) == simdjson::SUCCESS) {
    for (const auto [name, value] : object) {
      if (is_agent(name) && value.get(text) == simdjson::SUCCESS) return text;
    }
  }
  JsonArray pairs;
  if (headers && headers->get(pairs) == simdjson::SUCCESS) {
    for (const auto entry : pairs) {
      std::string_view name;
      JsonArray pair;
      if (entry.get(pair) == simdjson::SUCCESS && pair.at(0).get(name) == simdjson::SUCCESS && is_agent(name) &&
          pair.at(1).get(text) == simdjson::SUCCESS)
        return text;
    }
  }
  return context.meta.user_agent();
}

// Browsers send no contexts of browser, system and device.
void read_client(JsonObject payload, const EnvelopeContext& context, schema::Replay& row) {
  const auto agent = read_user_agent(first_characters(user_agent_of(payload, context), 512));
  if (row.browser_name().empty()) {
    row.set_browser_name(std::string(agent.browser));
    row.set_browser_version(std::string(agent.browser_version));
  }
  if (row.os_name().empty()) {
    row.set_os_name(std::string(agent.os));
    row.set_os_version(std::string(agent.os_version));
  }
  if (row.device_family().empty() && row.device_model().empty()) {
    row.set_device_family(std::string(agent.device_family));
    row.set_device_model(std::string(agent.device_model));
    row.set_device_brand(std::string(agent.device_brand));
  }
}

void read_replay_tags(JsonObject payload, schema::Replay& row) {
  JsonObject tags;
  if (payload["tags"].get(tags) != simdjson::SUCCESS) return;
  TextArena arena(256);
  for (const auto [key, value] : tags) {
    if (row.tags_size() == static_cast<int>(most_listed)) return;
    const auto text = text_of(value, arena, {200, 0});
    if (text.empty() || key.empty()) continue;
    auto* tag = row.add_tags();
    tag->set_key(std::string(first_characters(key, 200)));
    tag->add_values(std::string(text));
  }
}

// False when it has no replay id.
bool add_replay_event(EnvelopeContext& context, JsonObject payload, std::uint16_t index) {
  auto id = raw_id_member(payload, "replay_id");
  if (id.empty() && context.header_id) id = relay::raw_bytes(*context.header_id);
  if (id.size() != 16) return false;
  const auto place = context.place(index);
  ReplayUpdate update;
  update.sequence = place.sequence;
  update.item = place.item;
  auto& row = update.row;
  row.set_replay_id(id);
  row.set_project(place.project);
  row.set_last_sequence(place.sequence);
  const auto finished = time_ns_member(payload, "timestamp").value_or(place.received_ms * 1'000'000);
  const auto started = time_ns_member(payload, "replay_start_timestamp").value_or(finished);
  const auto shift = shift_ns(fact_context(context, index), finished);
  row.set_started_ms((std::min(started, finished) + shift) / 1'000'000);
  row.set_finished_ms((finished + shift) / 1'000'000);
  const auto segment = known_member_of(payload, "segment_id");
  const auto number = segment ? number_of(*segment) : std::nullopt;
  if (number && *number >= 0 && *number < 1'000'000)
    row.set_segments(static_cast<std::uint32_t>(*number) + 1);
  each_text(payload, "urls", [&](std::string text) { row.add_urls(std::move(text)); });
  each_text(payload, "error_ids", [&](const std::string& text) {
    if (auto clean = id_text_of(text); !clean.empty()) row.add_error_ids(std::move(clean));
  });
  each_text(payload, "trace_ids", [&](const std::string& text) {
    if (auto clean = id_text_of(text); !clean.empty()) row.add_trace_ids(std::move(clean));
  });
  const auto text = [&](std::string_view name) {
    return std::string(first_characters(string_member(payload, name), 200));
  };
  row.set_environment(text("environment"));
  row.set_platform(text("platform"));
  if (auto release = text("release"); !release.empty()) row.add_releases(std::move(release));
  row.set_dist(text("dist"));
  row.set_replay_type(text("replay_type"));
  if (const auto sdk = object_member_of(payload, "sdk")) {
    row.set_sdk_name(std::string(first_characters(string_member(*sdk, "name"), 200)));
    row.set_sdk_version(std::string(first_characters(string_member(*sdk, "version"), 200)));
  }
  read_user(payload, context, row);
  read_contexts(payload, row);
  read_client(payload, context, row);
  read_replay_tags(payload, row);
  context.batch.replays.updates.push_back(std::move(update));
  return true;
}

// The segment that a recording's first line names.
std::optional<std::uint32_t> segment_of(std::string_view recording) {
  const auto line = recording.substr(0, std::min(recording.find('\n'), std::size_t{4096}));
  bool repaired = false;
  const auto header = parse_json(line, repaired);
  JsonObject object;
  if (!header || header->get(object) != simdjson::SUCCESS) return std::nullopt;
  const auto segment = known_member_of(object, "segment_id");
  const auto number = segment ? number_of(*segment) : std::nullopt;
  if (!number || *number < 0 || *number >= 1'000'000) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

bool add_recording(EnvelopeContext& context,
                   std::string_view recording,
                   const std::string& replay_id,
                   std::uint16_t index) {
  const auto segment = segment_of(recording);
  if (!segment || replay_id.size() != 16) return false;
  const auto place = context.place(index);
  ReplaySegmentRow row;
  row.project = place.project;
  row.replay_id = replay_id;
  row.segment = *segment;
  row.place.set_sequence(place.sequence);
  row.place.set_item(place.item);
  row.place.set_received_ms(place.received_ms);
  row.place.set_bytes(recording.size());
  context.batch.replays.segments.push_back(std::move(row));
  return true;
}

// The id of the replay whose event came in this envelope, else the envelope's own.
std::string replay_of(const EnvelopeContext& context) {
  const auto& updates = context.batch.replays.updates;
  if (!updates.empty() && updates.back().sequence == context.record.sequence)
    return updates.back().row.replay_id();
  return context.header_id ? std::string(relay::raw_bytes(*context.header_id)) : std::string();
}

}  // namespace

void read_replay_event_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto payload = parse_json(item.payload, repaired);
  JsonObject object;
  if (!payload || payload->get(object) != simdjson::SUCCESS ||
      !add_replay_event(context, object, index))
    return invalid(context, item, index);
  count_accepted(context, item);
}

void read_replay_recording_item(EnvelopeContext& context,
                                const relay::Item& item,
                                std::uint16_t index) {
  if (!add_recording(context, item.payload, replay_of(context), index))
    return invalid(context, item, index);
  count_accepted(context, item);
}

void read_replay_video_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  const auto video = relay::split_replay_video(item.payload);
  bool repaired = false;
  const auto payload = parse_json(video.event, repaired);
  JsonObject object;
  if (!payload || payload->get(object) != simdjson::SUCCESS ||
      !add_replay_event(context, object, index))
    return invalid(context, item, index);
  (void)add_recording(context, video.recording, replay_of(context), index);
  count_accepted(context, item);
}

void read_profile_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto payload = parse_json(item.payload, repaired);
  JsonObject object;
  if (!payload || payload->get(object) != simdjson::SUCCESS) return invalid(context, item, index);
  auto id = raw_id_member(object, "event_id");
  if (id.empty()) id = raw_id_member(object, "profile_id");
  if (id.size() != 16) return invalid(context, item, index);
  const auto place = context.place(index);
  ProfileRow row;
  row.project = place.project;
  row.profile_id = id;
  row.row.set_sequence(place.sequence);
  row.row.set_item(place.item);
  row.row.set_received_ms(place.received_ms);
  row.row.set_timestamp_ms(
      time_ns_member(object, "timestamp").value_or(place.received_ms * 1'000'000) / 1'000'000);
  row.row.set_platform(std::string(first_characters(string_member(object, "platform"), 64)));
  if (const auto transaction = object_member_of(object, "transaction")) {
    row.row.set_transaction(std::string(first_characters(string_member(*transaction, "name"), 200)));
    row.row.set_transaction_id(raw_id_member(*transaction, "id"));
    row.row.set_trace_id(raw_id_member(*transaction, "trace_id"));
  } else {
    row.row.set_transaction(
        std::string(first_characters(string_member(object, "transaction_name"), 200)));
    row.row.set_transaction_id(raw_id_member(object, "transaction_id"));
    row.row.set_trace_id(raw_id_member(object, "trace_id"));
  }
  context.batch.replays.profiles.push_back(std::move(row));
  count_accepted(context, item);
}

namespace {

// The earliest of a chunk's samples.
std::int64_t chunk_start_ms(JsonObject chunk, std::int64_t otherwise) {
  const auto profile = object_member_of(chunk, "profile");
  JsonArray samples;
  JsonObject first;
  if (!profile || (*profile)["samples"].get(samples) != simdjson::SUCCESS ||
      samples.at(0).get(first) != simdjson::SUCCESS)
    return otherwise;
  const auto at = time_ns_member(first, "timestamp");
  return at ? std::max<std::int64_t>(0, *at / 1'000'000) : otherwise;
}

}  // namespace

void read_profile_chunk_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  bool repaired = false;
  const auto payload = parse_json(item.payload, repaired);
  JsonObject object;
  if (!payload || payload->get(object) != simdjson::SUCCESS) return invalid(context, item, index);
  const auto place = context.place(index);
  ProfileChunkRow row;
  row.project = place.project;
  row.profiler_id = raw_id_member(object, "profiler_id");
  row.chunk_id = raw_id_member(object, "chunk_id");
  if (row.profiler_id.size() != 16 || row.chunk_id.size() != 16) return invalid(context, item, index);
  row.start_ms = chunk_start_ms(object, place.received_ms);
  row.place.set_sequence(place.sequence);
  row.place.set_item(place.item);
  row.place.set_received_ms(place.received_ms);
  row.place.set_bytes(item.payload.size());
  context.batch.replays.chunks.push_back(std::move(row));
  count_accepted(context, item);
}

}  // namespace picket::digest

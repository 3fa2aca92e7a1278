// What a replay recorded: its segments, joined or one by one, and the clicks in them.
#include "api/digest/payload.h"
#include "api/rest/access.h"
#include "api/rest/event_shapes.h"
#include "api/rest/replay_view.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/recording.h"

#include <charconv>
#include <utility>

namespace picket::rest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

// Segments are inflated and parsed whole: one of them, and what an answer holds of all.
constexpr std::size_t most_segment_bytes = std::size_t{32} << 20;
constexpr std::size_t most_answer_bytes = std::size_t{24} << 20;

struct Segment {
  std::uint32_t number = 0;
  schema::PlacedItem place;
};

std::vector<Segment> segments_of(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_id) {
  std::vector<Segment> segments;
  for_each(reader, Table::replay_segments, Key().u64(project).raw(raw_id), [&](std::string_view rest, std::string_view value) {
    segments.push_back({KeyReader(rest).u32(), buffer::parse_row<schema::PlacedItem>(value)});
    return segments.size() < 100'000;
  });
  return segments;
}

struct Recording {
  json::array events;
  std::size_t bytes = 0;
};

// An empty recording for what is no longer, or was never, readable.
Recording read_recording(const Api& api, const Segment& segment) {
  Recording recording;
  const auto payload = digest::read_payload(api.journal, segment.place.sequence(), static_cast<std::uint16_t>(segment.place.item()));
  if (!payload) return recording;
  auto bytes = payload->own().payload;
  if (payload->own().type == "replay_video") bytes = relay::split_replay_video(bytes).recording;
  const auto text = relay::recording_json(bytes, most_segment_bytes);
  if (!text || text->size() > most_segment_bytes) return recording;
  recording.bytes = text->size();
  json::error_code error;
  json::parse_options options;
  options.max_depth = 256;
  auto parsed = json::parse(*text, error, {}, options);
  if (error) return recording;
  if (parsed.is_array()) recording.events = std::move(parsed.get_array());
  return recording;
}

Reply list_segments(Api& api, const Call& call) {
  const auto parsed_page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed_page)) return *refusal;
  const auto& page = std::get<Page>(parsed_page);
  const auto id = parse_replay_id(call.path_text("replay_id"));
  std::vector<Segment> segments;
  {
    const auto snapshot = api.tables.snapshot();
    if (!id || !find_replay(snapshot, call.project->id(), *id)) return Reply::not_found();
    segments = segments_of(snapshot, call.project->id(), *id);
  }
  json::array shown;
  std::size_t bytes = 0;
  auto at = static_cast<std::size_t>(page.offset);
  for (; at < segments.size() && shown.size() < page.per_page; ++at) {
    auto recording = read_recording(api, segments[at]);
    // An answer stays bounded, but gets on by one segment at least.
    if (!shown.empty() && bytes + recording.bytes > most_answer_bytes) break;
    bytes += recording.bytes;
    shown.push_back(std::move(recording.events));
  }
  auto reply = Reply::json(std::move(shown));
  Links links;
  links.previous.offset = page.offset > page.per_page ? page.offset - page.per_page : 0;
  links.previous.previous = true;
  links.has_previous = page.offset > 0;
  links.next.offset = at;
  links.has_next = at < segments.size();
  add_links(reply, api, call, links);
  return reply;
}

Reply get_segment(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  const auto name = call.path_text("segment_id");
  std::uint32_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (!id || read.ec != std::errc() || read.ptr != name.data() + name.size()) return Reply::not_found();
  Segment segment{number, {}};
  {
    const auto snapshot = api.tables.snapshot();
    const auto row = buffer::find_row<schema::PlacedItem>(snapshot, Table::replay_segments, Key().u64(call.project->id()).raw(*id).u32(number));
    if (!row || !find_replay(snapshot, call.project->id(), *id)) return Reply::not_found();
    segment.place = *row;
  }
  if (call.query.find("download")) return Reply::json(read_recording(api, segment).events);
  return Reply::json(json::object{{"data", json::object{
                                               {"replayId", relay::render_hex(*id)},
                                               {"segmentId", number},
                                               {"projectId", std::to_string(call.project->id())},
                                               {"dateAdded", render_time(segment.place.received_ms())},
                                           }}});
}

// A click is a breadcrumb of category ui.click that names its node.
void add_clicks(const json::array& events, json::array& clicks) {
  for (const auto& each : events) {
    const auto* event = each.if_object();
    const auto* data = event ? object_member(*event, "data") : nullptr;
    const auto* payload = data ? object_member(*data, "payload") : nullptr;
    if (!payload || text_member(*payload, "category") != "ui.click") continue;
    const auto* details = object_member(*payload, "data");
    const auto* node = details ? member(*details, "nodeId") : nullptr;
    const auto* at = member(*payload, "timestamp");
    const auto ms = at ? any_time_ms(*at) : std::nullopt;
    if (!node || !node->is_number() || !ms) continue;
    clicks.push_back(json::object{{"node_id", node->to_number<std::int64_t>()}, {"timestamp", render_time(*ms)}});
  }
}

Reply list_clicks(Api& api, const Call& call) {
  const auto id = parse_replay_id(call.path_text("replay_id"));
  std::vector<Segment> segments;
  {
    const auto snapshot = api.tables.snapshot();
    if (!id || !find_replay(snapshot, call.project->id(), *id)) return Reply::not_found();
    segments = segments_of(snapshot, call.project->id(), *id);
  }
  json::array clicks;
  std::size_t bytes = 0;
  for (const auto& segment : segments) {
    if (bytes > most_answer_bytes) break;
    const auto recording = read_recording(api, segment);
    bytes += recording.bytes;
    add_clicks(recording.events, clicks);
  }
  auto reply = paginate(api, call, std::move(clicks));
  if (reply.status == 200) reply.body = json::object{{"data", std::move(*reply.body)}};
  return reply;
}

}  // namespace

std::vector<Route> segment_routes() {
  const std::vector<std::string_view> read = {"project:read", "project:write", "project:admin", "event:read"};
  return {
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/recording-segments/", read, list_segments},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/recording-segments/{segment_id}/", read, get_segment},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/replays/{replay_id}/clicks/", read, list_clicks},
  };
}

}  // namespace picket::rest

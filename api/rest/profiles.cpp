// Profiles by id, as they were sent and with what Sentry adds; chunks of continuous profiles.
#include "api/digest/payload.h"
#include "api/rest/access.h"
#include "api/rest/event_shapes.h"
#include "api/rest/release_rows.h"
#include "api/rest/replay_view.h"
#include "relay/protocol/hex.h"

#include <set>
#include <utility>

namespace picket::rest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::size_t most_answer_bytes = std::size_t{48} << 20;

// Nothing when the journal has let go of it or it is no JSON object.
std::optional<json::object> read_object(const Api& api, std::uint64_t sequence, std::uint32_t item, std::size_t& bytes) {
  const auto payload = digest::read_payload(api.journal, sequence, static_cast<std::uint16_t>(item));
  if (!payload) return std::nullopt;
  bytes += payload->own().payload.size();
  json::error_code error;
  json::parse_options options;
  options.max_depth = 256;
  auto parsed = json::parse(payload->own().payload, error, {}, options);
  if (error || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.get_object());
}

struct FoundProfile {
  schema::Profile row;
  json::object payload;
};

std::optional<FoundProfile> find_profile(const Api& api, const buffer::Reader& reader, const Call& call) {
  const auto id = parse_replay_id(call.path_text("profile_id"));
  auto row = id ? buffer::find_row<schema::Profile>(reader, Table::profiles, Key().u64(call.project->id()).raw(*id)) : std::nullopt;
  if (!row) return std::nullopt;
  std::size_t bytes = 0;
  auto payload = read_object(api, row->sequence(), row->item(), bytes);
  if (!payload) return std::nullopt;
  return FoundProfile{*std::move(row), *std::move(payload)};
}

Reply get_profile(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  auto found = find_profile(api, snapshot, call);
  if (!found) return Reply::not_found();
  auto& payload = found->payload;
  payload["project_id"] = call.project->id();
  payload["organization_id"] = call.organization->id();
  payload["received"] = render_time(found->row.received_ms());
  if (const auto version = text_member(payload, "release")) {
    const auto release = buffer::find_row<schema::Release>(snapshot, Table::releases, release_key(call.organization->id(), *version));
    payload["release"] = release ? json::value(render_release(snapshot, call, *release)) : json::value(nullptr);
  }
  return Reply::json(std::move(payload));
}

Reply get_raw_profile(Api& api, const Call& call) {
  auto found = find_profile(api, api.tables.snapshot(), call);
  if (!found) return Reply::not_found();
  return Reply::json(std::move(found->payload));
}

// Sentry merges the chunks of a profiler: samples and stacks in a row, indices shifted.
void shift_index(json::object& object, std::string_view name, std::int64_t by) {
  auto* value = object.if_contains(name);
  if (value && value->is_number()) *value = value->to_number<std::int64_t>() + by;
}

json::array& list_in(json::object& object, std::string_view name) {
  auto& value = object[name];
  if (!value.is_array()) value = json::array();
  return value.get_array();
}

void join_profile(json::object& known, json::object added) {
  const auto frames = static_cast<std::int64_t>(list_in(known, "frames").size());
  const auto stacks = static_cast<std::int64_t>(list_in(known, "stacks").size());
  for (auto& frame : list_in(added, "frames")) list_in(known, "frames").push_back(std::move(frame));
  for (auto& stack : list_in(added, "stacks")) {
    if (auto* indices = stack.if_array()) {
      for (auto& index : *indices) {
        if (index.is_number()) index = index.to_number<std::int64_t>() + frames;
      }
    }
    list_in(known, "stacks").push_back(std::move(stack));
  }
  for (auto& each : list_in(added, "samples")) {
    if (auto* sample = each.if_object()) shift_index(*sample, "stack_id", stacks);
    list_in(known, "samples").push_back(std::move(each));
  }
  if (const auto* threads = object_member(added, "thread_metadata")) {
    auto& all = known["thread_metadata"];
    if (!all.is_object()) all = json::object();
    for (const auto& [name, value] : *threads) {
      if (!all.get_object().contains(name)) all.get_object()[name] = value;
    }
  }
}

Reply get_chunks(Api& api, const Call& call) {
  const auto profiler = parse_replay_id(call.query.text("profiler_id"));
  if (!profiler) return Reply::error(400, "profiler_id is required");
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  const auto parsed = parse_period(call.query, api.clock.now());
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& period = std::get<std::optional<Period>>(parsed);
  const auto& chosen = std::get<std::vector<schema::Project>>(projects);
  if (chosen.size() != 1) return Reply::error(400, "one project must be specified.");
  const auto snapshot = api.tables.snapshot();
  std::optional<json::object> whole;
  json::array ids;
  std::size_t bytes = 0;
  std::int64_t received_ms = 0;
  for_each(snapshot, Table::profile_chunks, Key().u64(chosen.front().id()).raw(*profiler), [&](std::string_view rest, std::string_view value) {
    KeyReader key(rest);
    const auto start = static_cast<std::int64_t>(key.u64());
    const bool wanted = !period || (start >= to_ms(period->from) - 60'000 && start <= to_ms(period->to) + 60'000);
    if (!wanted) return true;
    const auto row = buffer::parse_row<schema::PlacedItem>(value);
    auto chunk = read_object(api, row.sequence(), row.item(), bytes);
    if (!chunk) return true;
    ids.emplace_back(relay::render_hex(key.raw(16)));
    received_ms = std::max(received_ms, row.received_ms());
    if (!whole) {
      whole = *std::move(chunk);
    } else if (auto* profile = chunk->if_contains("profile"); profile && profile->is_object()) {
      auto& known = (*whole)["profile"];
      if (!known.is_object()) known = json::object();
      join_profile(known.get_object(), std::move(profile->get_object()));
    }
    return bytes < most_answer_bytes;
  });
  if (!whole) return Reply::not_found();
  (*whole)["project_id"] = chosen.front().id();
  (*whole)["organization_id"] = call.organization->id();
  (*whole)["received"] = static_cast<double>(received_ms) / 1000.0;
  return Reply::json(json::object{{"chunk", *std::move(whole)}, {"debug_chunk_ids", std::move(ids)}});
}

}  // namespace

std::vector<Route> profile_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin"};
  const std::vector<std::string_view> project = {"project:read", "project:write", "project:admin"};
  return {
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/profiling/profiles/{profile_id}/", project, get_profile},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/profiling/raw_profiles/{profile_id}/", project, get_raw_profile},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/profiling/chunks/", read, get_chunks},
  };
}

}  // namespace picket::rest

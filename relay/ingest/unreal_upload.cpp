#include "relay/ingest/crash_event.h"
#include "relay/ingest/file_envelope.h"
#include "relay/ingest/file_uploads.h"
#include "relay/ingest/request_body.h"
#include "relay/protocol/content_stream.h"
#include "relay/protocol/unreal_archive.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace picket::ingest {
namespace {

namespace json = boost::json;
using relay::UnrealFileKind;

constexpr std::size_t most_context_bytes = std::size_t{1} << 20;

// Where a fact of the crash context belongs in an event: of FGenericCrashContext, as the engine's
// sources name them.
struct Place {
  std::string_view leaf;
  std::array<std::string_view, 3> path;  // "" where it is shorter
};
constexpr std::array places{
    Place{"RuntimeProperties.UserName", {"user", "username", ""}},
    Place{"RuntimeProperties.LoginId", {"user", "id", ""}},
    Place{"RuntimeProperties.EpicAccountId", {"tags", "epic_account_id", ""}},
    Place{"RuntimeProperties.MachineId", {"tags", "machine_id", ""}},
    Place{"RuntimeProperties.Misc.OSVersionMajor", {"contexts", "os", "name"}},
    Place{"RuntimeProperties.Misc.PrimaryGPUBrand", {"contexts", "gpu", "name"}},
    Place{"RuntimeProperties.Misc.CPUBrand", {"contexts", "device", "model"}},
    Place{"RuntimeProperties.MemoryStats.TotalPhysical", {"contexts", "device", "memory_size"}},
    Place{"RuntimeProperties.GameName", {"contexts", "app", "app_name"}},
    Place{"RuntimeProperties.EngineVersion", {"contexts", "unreal", "engine_version"}},
};

json::object at_path(const std::array<std::string_view, 3>& path, const std::string& value) {
  json::value inner(value);
  for (auto word = path.rbegin(); word != path.rend(); ++word) {
    if (!word->empty()) inner = json::object{{*word, std::move(inner)}};
  }
  return std::move(inner.get_object());
}

// Returns the engine's error message.
std::string read_context(std::string_view xml, CrashEvent& event) {
  std::string message;
  json::object rest;
  for (const auto& [leaf, text] : relay::read_xml_leaves(xml.substr(0, most_context_bytes))) {
    if (text.empty()) continue;
    // A game puts its own event fields there.
    if (leaf.ends_with(".__sentry") && event.merge(text)) continue;
    if (leaf == "RuntimeProperties.ErrorMessage") message = text;
    const auto* const place =
        std::find_if(places.begin(), places.end(), [&name = leaf](const Place& each) { return each.leaf == name; });
    if (place != places.end()) event.merge(at_path(place->path, text));
    const auto name = std::string_view(leaf).substr(leaf.find_last_of('.') + 1);
    rest.emplace(name, text);
  }
  rest.emplace("type", "unreal");
  event.merge(json::object{{"contexts", json::object{{"unreal", std::move(rest)}}}});
  if (!message.empty()) event.merge(json::object{{"logentry", json::object{{"formatted", message}}}});
  return message;
}

// "user|epic account|machine", each of which may be missing.
void read_user(std::string_view query, CrashEvent& event) {
  constexpr std::array<std::array<std::string_view, 3>, 3> fields{
      {{"user", "id", ""}, {"tags", "epic_account_id", ""}, {"tags", "machine_id", ""}}};
  for (const auto& [name, value] : http::parse_query(query)) {
    if (name != "UserID") continue;
    std::string_view left = value;
    for (const auto& field : fields) {
      const auto word = left.substr(0, left.find('|'));
      left.remove_prefix(std::min(word.size() + 1, left.size()));
      if (!word.empty()) event.merge(at_path(field, std::string(word)));
    }
  }
}

std::string_view attachment_type(UnrealFileKind kind) {
  switch (kind) {
    case UnrealFileKind::minidump: return "event.minidump";
    case UnrealFileKind::apple_crash_report: return "event.applecrashreport";
    case UnrealFileKind::context: return "unreal.context";
    case UnrealFileKind::log: return "unreal.logs";
    case UnrealFileKind::config:
    case UnrealFileKind::other: break;
  }
  return "event.attachment";
}

Refusal bad_archive(std::string_view cause) {
  return make_refusal(400, "invalid unreal crash report", cause, "process_unreal");
}

}  // namespace

std::variant<Converted, Refusal> convert_unreal(const Inbound& inbound) {
  const auto most = static_cast<std::size_t>(inbound.config.max_attachment_bytes);
  const auto archive = relay::decode_bytes(inbound.body, relay::Coding::deflate, most, inbound.room);
  if (!archive) {
    if (archive.error().fault == Fault::too_large) return too_large(archive.error().detail);
    if (archive.error().fault == Fault::unavailable) return no_room(archive.error().detail);
    return bad_archive(archive.error().detail);
  }
  const auto files = relay::parse_unreal_archive(*archive);
  if (!files) return bad_archive(files.error().detail);

  CrashEvent event;
  std::string reason;
  read_user(inbound.head.query, event);
  for (const auto& file : *files) {
    if (file.kind == UnrealFileKind::context) reason = read_context(file.contents, event);
  }
  for (const auto& file : *files) {
    if (file.kind != UnrealFileKind::minidump) continue;
    const auto facts = relay::read_minidump_facts(file.contents);
    event.add_facts(facts);
    if (reason.empty()) reason = facts.reason;
    break;
  }
  const auto id = event.finish(reason);
  FileEnvelope envelope(inbound.room, id);
  envelope.add_event(event.render());
  for (const auto& file : *files) {
    envelope.add({.filename = file.name, .type = attachment_type(file.kind), .content_type = {}, .contents = file.contents});
  }
  auto bytes = envelope.finish();
  if (!bytes) return no_room(bytes.error().detail);
  Converted converted;
  converted.envelope = *std::move(bytes);
  converted.answer = uuid_reply(id);
  return converted;
}

}  // namespace picket::ingest

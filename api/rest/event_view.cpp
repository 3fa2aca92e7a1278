#include "api/rest/event_view.h"

#include "api/digest/derived_tags.h"
#include "api/digest/grouping.h"
#include "api/digest/payload.h"
#include "api/digest/title.h"
#include "api/digest/user_report.h"
#include "api/rest/access.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/event_entries.h"
#include "api/rest/event_shapes.h"
#include "api/rest/release_rows.h"
#include "api/rest/user_report_shape.h"
#include "relay/protocol/hex.h"
#include "relay/protocol/json_repair.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

json::object parse_payload(std::string_view bytes, std::string& trouble) {
  json::parse_options options;
  options.max_depth = 256;
  json::error_code error;
  const auto storage = json::make_shared_resource<json::monotonic_resource>(bytes.size() * 2 + 1024);
  auto value = json::parse(bytes, error, storage, options);
  if (error) {
    value = json::parse(relay::repair_json(bytes), error, storage, options);
    trouble = error ? "The payload is not JSON: " + error.message() : "The payload was not valid JSON and has been repaired.";
  }
  if (error) return {};
  if (value.is_object()) return std::move(value.get_object());
  if (!value.is_array()) return {};
  for (auto& each : value.get_array()) {
    if (each.is_object()) return std::move(each.get_object());
  }
  return {};
}

void read_event_of(EventView& view, const digest::ItemPayload& payload) {
  auto read = digest::parse_event(payload.own().payload);
  if (!read) return;
  view.event = *std::move(read);
  auto& event = view.event;
  if (payload.own().type == "transaction") event.type = digest::EventType::transaction;
  if (payload.own().type == "feedback") event.type = digest::EventType::feedback;
  if (event.user.ip == "{{auto}}") event.user.ip = event.text.keep(replace_invalid_utf8(payload.meta.remote_address()));
}

json::value render_user_of(const EventView& view) {
  const auto* user = object_member(view.payload, "user");
  if (!user) user = object_member(view.payload, "sentry.interfaces.User");
  if (!user) return nullptr;
  json::object data;
  json::object shown;
  for (const auto name : {"id", "email", "username", "ip_address", "name"}) shown[name] = text_or_null_member(*user, name);
  if (shown["ip_address"].is_string() && shown["ip_address"].get_string() == "{{auto}}") {
    shown["ip_address"] = view.event.user.ip.empty() ? json::value(nullptr) : json::value(view.event.user.ip);
  }
  json::object geo;
  if (const auto* given = object_member(*user, "geo")) {
    for (const auto& [key, value] : *given) {
      if (const auto text = text_value(value)) geo[key] = *text;
    }
  }
  shown["geo"] = geo.empty() ? json::value(nullptr) : json::value(std::move(geo));
  if (const auto* given = object_member(*user, "data")) data = *given;
  for (const auto& [key, value] : *user) {
    if (key != "data" && key != "geo" && !shown.contains(key)) data[key] = value;
  }
  shown["data"] = std::move(data);
  return shown;
}

json::array render_tags(const EventView& view) {
  json::array tags;
  for (const auto& tag : tags_of_view(view)) {
    json::object shown{{"key", tag.key}, {"value", tag.value}};
    const auto colon = tag.value.find(':');
    if (tag.key == "user" && colon != std::string::npos) {
      shown["query"] = "user." + tag.value.substr(0, colon) + ":\"" + tag.value.substr(colon + 1) + "\"";
    }
    tags.push_back(std::move(shown));
  }
  return tags;
}

json::object render_contexts(const json::object& payload) {
  json::object shown;
  const auto* contexts = object_member(payload, "contexts");
  if (!contexts) return shown;
  for (const auto& [name, value] : *contexts) {
    const auto* context = value.if_object();
    if (!context) continue;
    json::object each = *context;
    if (!member(each, "type")) each["type"] = name;
    shown[name] = std::move(each);
  }
  return shown;
}

json::object render_packages(const json::object& payload) {
  if (const auto* modules = object_member(payload, "modules")) return *modules;
  json::object packages;
  const auto* list = array_member(payload, "modules");
  if (!list) return packages;
  for (const auto& each : *list) {
    const auto* module = each.if_object();
    if (!module) continue;
    const auto name = text_member(*module, "name");
    if (name) packages[*name] = text_or_null_member(*module, "version");
  }
  return packages;
}

json::value render_sdk(const json::object& payload) {
  const auto* sdk = object_member(payload, "sdk");
  if (!sdk) return nullptr;
  return json::object{{"name", text_or_null_member(*sdk, "name")}, {"version", text_or_null_member(*sdk, "version")}};
}

json::array render_errors(const EventView& view) {
  json::array errors;
  if (const auto* given = array_member(view.payload, "errors")) {
    for (const auto& each : *given) {
      const auto* error = each.if_object();
      if (!error || errors.size() >= 100) continue;
      const auto type = text_member(*error, "type").value_or("unknown_error");
      json::object data = *error;
      data.erase("type");
      errors.push_back(json::object{{"type", type}, {"message", text_member(*error, "message").value_or(type)}, {"data", std::move(data)}});
    }
  }
  if (!view.trouble.empty()) {
    errors.push_back(json::object{{"type", "invalid_data"}, {"message", view.trouble}, {"data", json::object()}});
  }
  return errors;
}

json::object parse_metadata(const std::string& text) {
  json::error_code error;
  const auto value = json::parse(text, error);
  return error || !value.is_object() ? json::object() : value.get_object();
}

json::value group_id(const EventView& view, const buffer::Reader* reader) {
  if (view.row.issue() == 0) return nullptr;
  const auto issue = reader ? query::resolve_issue(*reader, view.row.issue()) : view.row.issue();
  return json::value(std::to_string(issue.value_or(view.row.issue())));
}

// What summary and full event share.
json::object render_base(const EventView& view, const buffer::Reader* reader) {
  const auto title = digest::title_of(view.event);
  const auto& platform = view.event.platform;
  const std::string_view message = view.event.formatted.empty() ? std::string_view(title.title) : view.event.formatted;
  return {
      {"id", view.event_id},
      {"eventID", view.event_id},
      {"groupID", group_id(view, reader)},
      {"projectID", std::to_string(view.place.project)},
      {"title", title.title},
      {"message", message},
      {"culprit", title.culprit},
      {"location", title.location.empty() ? json::value(nullptr) : json::value(title.location)},
      {"metadata", parse_metadata(title.metadata_json)},
      {"platform", platform.empty() ? std::string_view("other") : platform},
      {"dateCreated", render_time(view.row.timestamp_ms())},
      {"user", render_user_of(view)},
      {"tags", render_tags(view)},
      {"crashFile", nullptr},
  };
}

json::object empty_meta() {
  return {{"user", nullptr},    {"context", nullptr}, {"entries", json::object()}, {"contexts", nullptr},
          {"message", nullptr}, {"packages", nullptr}, {"tags", json::object()},    {"sdk", nullptr}};
}

void add_transaction(json::object& shown, const json::object& payload) {
  for (const auto& [name, wire] : {std::pair{"startTimestamp", "start_timestamp"}, std::pair{"endTimestamp", "timestamp"}}) {
    const auto* value = member(payload, wire);
    const auto ms = value ? any_time_ms(*value) : std::nullopt;
    if (ms) shown[name] = static_cast<double>(*ms) / 1000.0;
  }
  shown["measurements"] = object_member(payload, "measurements") ? value_or_null(payload, "measurements") : json::value(nullptr);
  shown["breakdowns"] = object_member(payload, "breakdowns") ? value_or_null(payload, "breakdowns") : json::value(nullptr);
}

// The event before (or after) this one in its issue's list; null at the end.
json::value neighbour(const buffer::Reader& reader, const EventView& view, bool next) {
  if (view.row.issue() == 0) return nullptr;
  const auto prefix = Key().u64(view.row.issue());
  const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, view.row.timestamp_ms()));
  const auto key = Key(prefix).u64(at).u64(view.place.sequence).u16(view.place.item);
  auto cursor = reader.cursor(Table::events_by_issue);
  const bool found = next ? cursor.seek(Key(key).raw(std::string_view("\0", 1))) : cursor.seek_before(key);
  if (!found || !cursor.key().starts_with(prefix.view())) return nullptr;
  return json::value(relay::render_hex(cursor.value()));
}

}  // namespace

std::optional<EventView> load_event(const Api& api, const buffer::Reader& reader, const query::EventPlace& place) {
  auto row = find_row<schema::EventRow>(reader, Table::events, Key().u64(place.sequence).u16(place.item));
  if (!row || row->project() != place.project) return std::nullopt;
  EventView view;
  view.place = place;
  view.row = *std::move(row);
  view.event_id = relay::render_hex(view.row.event_id());
  if (!view.row.payload_json().empty()) {
    // An event of our own making.
    const auto& bytes = view.row.payload_json();
    view.size = bytes.size();
    view.payload = parse_payload(bytes, view.trouble);
    if (auto read = digest::parse_event(bytes)) view.event = *std::move(read);
    return view;
  }
  const auto payload = digest::read_payload(api.journal, place.sequence, place.item);
  if (!payload) {
    view.trouble = "The payload is not available: " + replace_invalid_utf8(payload.error().detail);
    return view;
  }
  view.size = payload->own().payload.size();
  view.payload = parse_payload(payload->own().payload, view.trouble);
  read_event_of(view, *payload);
  return view;
}

std::vector<EventTag> tags_of_view(const EventView& view) {
  digest::TextArena arena;
  std::vector<EventTag> tags;
  for (const auto& tag : digest::tags_of(view.event, arena)) tags.push_back({std::string(tag.key), std::string(tag.value)});
  std::sort(tags.begin(), tags.end(), [](const EventTag& a, const EventTag& b) { return a.key < b.key; });
  return tags;
}

json::object render_event_summary(const EventView& view) {
  auto shown = render_base(view, nullptr);
  shown["event.type"] = digest::wire_name(view.event.type);
  return shown;
}

json::object render_event(const Api&, const Call&, const buffer::Reader& reader, const EventView& view) {
  auto shown = render_base(view, &reader);
  json::array fingerprints;
  for (const auto& hash : digest::hashes_of(view.event)) fingerprints.emplace_back(digest::render_hash(hash));
  shown["type"] = digest::wire_name(view.event.type);
  shown["dateReceived"] = render_time(view.row.received_ms());
  shown["size"] = view.size;
  shown["dist"] = view.event.dist.empty() ? json::value(nullptr) : json::value(view.event.dist);
  shown["entries"] = render_entries(view);
  shown["contexts"] = render_contexts(view.payload);
  shown["context"] = object_member(view.payload, "extra") ? value_or_null(view.payload, "extra") : json::object();
  shown["packages"] = render_packages(view.payload);
  shown["sdk"] = render_sdk(view.payload);
  shown["errors"] = render_errors(view);
  shown["occurrence"] = nullptr;
  shown["_meta"] = empty_meta();
  shown["fingerprints"] = std::move(fingerprints);
  shown["groupingConfig"] = json::object{{"id", "picket:1"}, {"enhancements", ""}};
  if (view.event.type == digest::EventType::transaction) add_transaction(shown, view.payload);
  return shown;
}

json::object render_event_details(const Api& api, const Call& call, const buffer::Reader& reader, const EventView& view) {
  auto shown = render_event(api, call, reader, view);
  const std::string version(view.event.release);
  const auto release = version.empty() ? std::nullopt
                                       : find_row<schema::Release>(reader, Table::releases, release_key(call.organization->id(), version));
  shown["release"] = release ? json::value(render_release(reader, call, *release)) : json::value(nullptr);
  const auto report = digest::find_user_report(reader, view.place.project, view.row.event_id());
  shown["userReport"] = report ? json::value(render_user_report(*report)) : json::value(nullptr);
  shown["hasAttachments"] = false;
  for (const auto& attachment : attachments_of(reader, view.place.project, view.row.event_id())) {
    shown["hasAttachments"] = true;
    const auto& type = attachment.row.type();
    if (type == "event.minidump" || type == "event.applecrashreport") shown["crashFile"] = render_attachment(attachment, view.event_id);
  }
  shown["sdkUpdates"] = json::array();
  shown["resolvedWith"] = json::array();
  shown["nextEventID"] = neighbour(reader, view, true);
  shown["previousEventID"] = neighbour(reader, view, false);
  return shown;
}

json::value render_event_by_id(const Api& api, const Call& call, const buffer::Reader& reader,
                               std::uint64_t project, std::string_view raw_id, bool full) {
  const auto place = query::find_event(reader, std::vector{project}, relay::render_hex(raw_id));
  const auto view = place ? load_event(api, reader, *place) : std::nullopt;
  if (!view) return nullptr;
  return full ? render_event(api, call, reader, *view) : render_event_summary(*view);
}

}  // namespace picket::rest

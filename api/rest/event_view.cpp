#include "api/rest/event_view.h"

#include "api/digest/derived_tags.h"
#include "api/digest/grouping.h"
#include "api/digest/grouping_book.h"
#include "api/digest/normalize.h"
#include "api/digest/payload.h"
#include "api/digest/title.h"
#include "api/digest/user_report.h"
#include "api/rest/access.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/event_entries.h"
#include "api/rest/event_shapes.h"
#include "api/rest/grouping_info.h"
#include "api/rest/release_rows.h"
#include "api/rest/user_report_shape.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {
namespace {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

digest::EventSource source_of(const digest::ItemPayload& payload, const Api& api) {
  const auto sent_at_ms = payload.meta.sent_at_ms() != 0 ? payload.meta.sent_at_ms() : payload.envelope.fields.sent_at_ms.value_or(0);
  return {.item_type = payload.own().type,
          .remote_address = payload.meta.remote_address(),
          .sent_at_ms = sent_at_ms,
          .received_ms = to_ms(payload.received),
          .max_age = api.max_event_age};
}

void read_payload_into(EventView& view, std::string_view payload, const digest::EventSource& source, const Api& api) {
  const auto geo = api.geo ? api.geo->get() : nullptr;
  auto made = digest::normalize(payload, source, geo.get());
  if (!made) {
    view.trouble = "The payload is not JSON: " + made.error().detail;
    return;
  }
  if (made->repaired) view.trouble = "The payload was not valid JSON and has been repaired.";
  view.payload = std::move(made->event);
  auto read = digest::parse_event(payload);
  if (!read) return;
  view.event = *std::move(read);
  digest::settle(view.event, source);
}

json::value render_user_of(const EventView& view) {
  const auto* user = object_member(view.payload, "user");
  if (!user) return nullptr;
  json::object data;
  json::object shown;
  for (const auto name : {"id", "email", "username", "ip_address", "name"}) shown[name] = text_or_null_member(*user, name);
  json::object geo;
  if (const auto* given = object_member(*user, "geo")) {
    for (const auto& [key, value] : *given) {
      if (const auto text = text_value(value)) geo[key] = *text;
    }
  }
  shown["geo"] = geo.empty() ? json::value(nullptr) : json::value(std::move(geo));
  if (const auto* given = object_member(*user, "data")) data = *given;
  for (const auto& [key, value] : *user) {
    if (key != "data" && key != "geo" && key != "sentry_user" && !shown.contains(key)) data[key] = value;
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

// The words that Sentry has for what went wrong with a field.
std::string_view error_message(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> messages = {{
      {"invalid_data", "Discarded invalid value"},
      {"invalid_attribute", "Discarded unknown attribute"},
      {"missing_attribute", "Missing value for required attribute"},
      {"value_too_long", "Discarded value due to exceeding maximum length"},
      {"clock_drift", "Clock drift detected in SDK"},
      {"future_timestamp", "Invalid timestamp (in future)"},
      {"past_timestamp", "Invalid timestamp (too old)"},
      {"invalid_environment", "Environment cannot contain \"/\" or newlines"},
      {"too_large", "Discarded value due to exceeding maximum size"},
      {"unknown_error", "Unknown error"},
  }};
  for (const auto& [name, message] : messages) {
    if (name == type) return message;
  }
  return type;
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
      errors.push_back(json::object{{"type", type}, {"message", text_member(*error, "message").value_or(std::string(error_message(type)))}, {"data", std::move(data)}});
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

// What was noted about the payload's parts, in the places that they have in the answer.
json::object render_meta(const json::object& payload, const json::array& entries) {
  const auto* meta = object_member(payload, "_meta");
  static const json::object nothing;
  const auto& notes = meta ? *meta : nothing;
  const auto* message = object_member(notes, "logentry");
  json::object by_entry;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& type = entries[i].get_object().at("type").get_string();
    const std::string_view name = type == "message" ? "logentry" : type == "debugmeta" ? "debug_meta" : std::string_view(type);
    if (const auto* notes_here = member(notes, name)) by_entry[std::to_string(i)] = json::object{{"data", *notes_here}};
  }
  return {{"user", value_or_null(notes, "user")},
          {"context", value_or_null(notes, "extra")},
          {"entries", std::move(by_entry)},
          {"contexts", value_or_null(notes, "contexts")},
          {"message", message ? value_or_null(*message, "formatted") : json::value(nullptr)},
          {"packages", value_or_null(notes, "modules")},
          {"tags", json::object()},
          {"sdk", value_or_null(notes, "sdk")}};
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
  const auto place = cursor.key().substr(prefix.size() + sizeof at);
  const auto row = find_row<schema::EventRow>(reader, Table::events, place);
  return row ? json::value(relay::render_hex(row->event_id())) : json::value(nullptr);
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
    read_payload_into(view, bytes, {.item_type = "event", .remote_address = {}, .sent_at_ms = 0, .received_ms = view.row.received_ms(), .max_age = api.max_event_age}, api);
    return view;
  }
  const auto payload = digest::read_payload(api.journal, place.sequence, place.item);
  if (!payload) {
    view.trouble = "The payload is not available: " + replace_invalid_utf8(payload.error().detail);
    return view;
  }
  view.size = payload->own().payload.size();
  read_payload_into(view, payload->own().payload, source_of(*payload, api), api);
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
  const auto project = find_row<schema::Project>(reader, Table::projects, Key().u64(view.place.project));
  const auto config = digest::grouping_config(project ? project->options_json() : std::string());
  for (const auto& hash : digest::hashes_of(view.event, config)) fingerprints.emplace_back(relay::render_hash(hash));
  shown["type"] = digest::wire_name(view.event.type);
  shown["dateReceived"] = render_time(view.row.received_ms());
  shown["size"] = view.size;
  shown["dist"] = view.event.dist.empty() ? json::value(nullptr) : json::value(view.event.dist);
  auto entries = render_entries(view);
  shown["_meta"] = render_meta(view.payload, entries);
  shown["entries"] = std::move(entries);
  shown["contexts"] = render_contexts(view.payload);
  shown["context"] = object_member(view.payload, "extra") ? value_or_null(view.payload, "extra") : json::object();
  shown["packages"] = render_packages(view.payload);
  shown["sdk"] = render_sdk(view.payload);
  shown["errors"] = render_errors(view);
  shown["occurrence"] = nullptr;
  shown["fingerprints"] = std::move(fingerprints);
  shown["groupingConfig"] = json::object{{"id", grouping_config_id}, {"enhancements", ""}};
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

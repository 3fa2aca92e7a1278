#include "api/rest/event_entries.h"

#include "api/rest/event_shapes.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {
namespace {

constexpr std::size_t most_breadcrumbs = 1'000;

void add(json::array& entries, std::string_view type, json::value data) {
  if (!data.is_null()) entries.push_back(json::object{{"type", type}, {"data", std::move(data)}});
}

// The interface under its name, or under the long name that old SDKs use.
const json::value* part(const json::object& payload, std::string_view name, std::string_view old_name) {
  if (const auto* value = member(payload, name)) return value;
  return member(payload, old_name);
}

json::value render_message(const EventView& view) {
  const auto* entry = part(view.payload, "logentry", "sentry.interfaces.Message");
  if (!entry) entry = member(view.payload, "message");
  if (!entry || view.event.formatted.empty()) return nullptr;
  const auto* object = entry->if_object();
  const auto* params = object ? member(*object, "params") : nullptr;
  json::object message{{"formatted", view.event.formatted}};
  if (view.event.message != view.event.formatted) message["message"] = view.event.message;
  if (params && (params->is_array() || params->is_object())) message["params"] = *params;
  return message;
}

json::value render_breadcrumbs(const json::value& breadcrumbs) {
  json::array values;
  for (const auto* crumb : listed_objects(breadcrumbs, most_breadcrumbs)) {
    const auto type = text_member(*crumb, "type");
    const auto level = text_member(*crumb, "level");
    const auto* timestamp = member(*crumb, "timestamp");
    values.push_back(json::object{
        {"type", type ? *type : "default"},
        {"timestamp", timestamp ? render_any_time(*timestamp) : json::value(nullptr)},
        {"level", level ? *level : "info"},
        {"message", text_or_null_member(*crumb, "message")},
        {"category", text_or_null_member(*crumb, "category")},
        {"data", value_or_null(*crumb, "data")},
        {"event_id", text_or_null_member(*crumb, "event_id")},
    });
  }
  if (values.empty()) return nullptr;
  return json::object{{"values", std::move(values)}};
}

json::value render_debug_meta(const json::value& debug_meta) {
  const auto* object = debug_meta.if_object();
  const auto* images = object ? array_member(*object, "images") : nullptr;
  if (!images || images->empty()) return nullptr;
  return json::object{{"images", *images}};
}

json::value render_template(const json::object& frame) {
  json::object shown = frame;
  shown["lineNo"] = value_or_null(frame, "lineno");
  shown["absPath"] = text_or_null_member(frame, "abs_path");
  return shown;
}

// A browser's report, {"csp-report": {"document-uri": …}}, in the names of an event's interface.
json::value render_report(const json::object& report) {
  json::object shown;
  for (const auto& [key, value] : report) {
    std::string name(key);
    std::replace(name.begin(), name.end(), '-', '_');
    shown[name] = value;
  }
  return shown;
}

void add_reports(json::array& entries, const json::object& payload) {
  static constexpr std::array<std::array<std::string_view, 3>, 5> reports = {{
      {"csp", "csp", "csp-report"},
      {"hpkp", "hpkp", "known-pins"},
      {"expectct", "expectct", "expect-ct-report"},
      {"expectstaple", "expectstaple", "expect-staple-report"},
      {"nel", "nel", "body"},
  }};
  for (const auto& [type, name, raw_name] : reports) {
    const auto* report = object_member(payload, name);
    if (!report && type != "hpkp" && type != "nel") report = object_member(payload, raw_name);
    if (report) add(entries, type, render_report(*report));
  }
}

}  // namespace

json::array render_entries(const EventView& view) {
  const auto& payload = view.payload;
  json::array entries;
  add(entries, "message", render_message(view));
  if (const auto* value = part(payload, "exception", "sentry.interfaces.Exception")) add(entries, "exception", render_exceptions(*value));
  if (const auto* value = part(payload, "stacktrace", "sentry.interfaces.Stacktrace")) add(entries, "stacktrace", render_stacktrace(*value));
  if (const auto* value = member(payload, "threads")) add(entries, "threads", render_threads(*value));
  add_reports(entries, payload);
  if (const auto* value = object_member(payload, "template")) add(entries, "template", render_template(*value));
  if (const auto* value = part(payload, "breadcrumbs", "sentry.interfaces.Breadcrumbs")) add(entries, "breadcrumbs", render_breadcrumbs(*value));
  const auto* request = part(payload, "request", "sentry.interfaces.Http");
  if (request && request->is_object()) add(entries, "request", render_request(request->get_object()));
  if (const auto* value = array_member(payload, "spans")) add(entries, "spans", *value);
  if (const auto* value = member(payload, "debug_meta")) add(entries, "debugmeta", render_debug_meta(*value));
  return entries;
}

}  // namespace picket::rest

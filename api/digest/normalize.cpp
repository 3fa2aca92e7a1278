#include "api/digest/normalize.h"

#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_fingerprint_parts = 50;
constexpr std::size_t most_errors = 500;

json::object take_meta(json::object& event) {
  auto* meta = find_object(event, "_meta");
  json::object taken = meta ? std::move(*meta) : json::object();
  event.stable_erase("_meta");
  return taken;
}

// By the item's type, the event's own, or what is in it: as the digest tells it.
EventType type_of(const json::object& event, const EventSource& source) {
  if (source.item_type == "transaction") return EventType::transaction;
  if (source.item_type == "feedback") return EventType::feedback;
  const auto said = event_type_named(text_or(event, "type"));
  if (said && *said != EventType::error && *said != EventType::default_) return *said;
  if (event.contains("exception")) return EventType::error;
  const auto* csp = event.if_contains("csp");
  const bool report = csp && csp->is_object() && !scalar_text(csp->get_object(), "effective_directive").value_or("").empty();
  return report ? EventType::csp : EventType::default_;
}

void normalize_fingerprint(json::object& event) {
  auto* said = event.if_contains("fingerprint");
  if (!said) return;
  json::array parts;
  const auto add = [&](const json::value& part) {
    if (auto text = scalar_text(part); text && parts.size() < most_fingerprint_parts) parts.push_back(json::value(ellipsed(*text, 8192)));
  };
  if (const auto* list = said->if_array()) {
    for (const auto& part : *list) add(part);
  } else if (scalar_text(*said) != std::optional(std::string())) {
    add(*said);
  }
  if (parts.empty()) {
    event.stable_erase("fingerprint");
  } else {
    *said = std::move(parts);
  }
}

void add_errors(json::object& event, json::array found) {
  if (found.empty()) return;
  auto& errors = event["errors"];
  if (!errors.is_array()) errors = json::array();
  auto& list = errors.get_array();
  for (auto& each : found) {
    if (list.size() < most_errors) list.push_back(std::move(each));
  }
}

}  // namespace

void normalize_defaults(Work& work) {
  auto& event = work.event;
  const auto type = *event_type_named(text_or(event, "type"));
  auto* said = event.if_contains("level");
  const Place place(work.root, "level");
  const auto text = said ? scalar_text(*said) : std::nullopt;
  const auto level = parse_level(ellipsed(text.value_or(""), 32));
  if (said && !said->is_null() && !level) work.notes.invalid(place, "expected a level", *said);
  const bool calm = type == EventType::transaction || type == EventType::feedback;
  event["level"] = wire_name(level.value_or(calm ? EventLevel::info : EventLevel::error));
  if (!find(event, "platform")) event["platform"] = "other";
  event["received"] = static_cast<double>(work.source.received_ms) / 1000;
}

Result<NormalizedEvent> normalize(std::string_view payload, const EventSource& source, const GeoLookup* geo) {
  NormalizedEvent made;
  auto tree = read_tree(payload, made.repaired);
  if (!tree) return Error{Fault::malformed, "event is not a JSON object"};
  auto& event = made.event = *std::move(tree);
  Notes notes(take_meta(event));
  Work work{.event = event, .source = source, .geo = geo, .notes = notes};
  normalize_legacy(work);
  normalize_security(work);
  normalize_fields(work);
  normalize_fingerprint(event);
  normalize_exceptions(work);
  event["type"] = wire_name(type_of(event, source));
  for (auto* step : {normalize_times, normalize_transaction, normalize_addresses, normalize_user, normalize_message, normalize_debug_images,
                     normalize_breadcrumbs, normalize_contexts, normalize_tags, normalize_client, normalize_measurements, normalize_defaults,
                     normalize_trace, normalize_request, normalize_spans, trim_event}) {
    step(work);
  }
  if (auto meta = notes.take_meta(); !meta.empty()) event["_meta"] = std::move(meta);
  add_errors(event, notes.take_errors());
  return made;
}

}  // namespace picket::digest

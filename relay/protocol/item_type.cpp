#include "relay/protocol/envelope.h"

#include "relay/protocol/json_object.h"

#include <algorithm>
#include <array>

namespace picket::relay {
namespace {

struct ItemType {
  std::string_view name;
  DataCategory category;
  bool belongs_to_event;
};

// The frequent ones first: the table is searched from the start.
constexpr std::array item_types{
    ItemType{"event", DataCategory::error, true},
    ItemType{"transaction", DataCategory::transaction, true},
    ItemType{"span", DataCategory::span, false},
    ItemType{"log", DataCategory::log_item, false},
    ItemType{"trace_metric", DataCategory::trace_metric, false},
    ItemType{"session", DataCategory::session, false},
    ItemType{"sessions", DataCategory::session, false},
    ItemType{"attachment", DataCategory::attachment, true},
    ItemType{"client_report", DataCategory::client_report, false},
    ItemType{"check_in", DataCategory::monitor, false},
    ItemType{"feedback", DataCategory::feedback, true},
    ItemType{"user_report", DataCategory::user_report, true},
    ItemType{"profile", DataCategory::profile, true},
    ItemType{"profile_chunk", DataCategory::profile_chunk, false},
    ItemType{"profile_chunk_ui", DataCategory::profile_chunk_ui, false},
    ItemType{"replay_event", DataCategory::replay, true},
    ItemType{"replay_recording", DataCategory::replay, false},
    ItemType{"replay_video", DataCategory::replay, false},
    ItemType{"security", DataCategory::security, true},
    ItemType{"raw_security", DataCategory::security, true},
    ItemType{"nel", DataCategory::log_item, false},
    ItemType{"otel_log", DataCategory::log_item, false},
    ItemType{"otel_span", DataCategory::span, false},
    ItemType{"statsd", DataCategory::metric_bucket, false},
    ItemType{"metric_buckets", DataCategory::metric_bucket, false},
    ItemType{"unreal_report", DataCategory::error, true},
    ItemType{"form_data", DataCategory::unknown, true},
    ItemType{"", DataCategory::default_, false},
};

const ItemType* find_item_type(std::string_view name) {
  const auto found = std::find_if(item_types.begin(), item_types.end(),
                                  [name](const ItemType& type) { return type.name == name; });
  return found == item_types.end() ? nullptr : &*found;
}

}  // namespace

DataCategory category_of(const Item& item) {
  const auto* const type = find_item_type(item.type);
  return type == nullptr ? DataCategory::unknown : type->category;
}

bool requires_event_id(const Item& item) {
  const auto* const type = find_item_type(item.type);
  if (type == nullptr || !type->belongs_to_event) return false;
  return !is_trace_attachment(item);
}

bool is_trace_attachment(const Item& item) {
  if (item.type != "attachment") return false;
  // By its name of today and that of the first SDKs.
  for (const std::string_view name : {"application/vnd.sentry.trace-attachment", "application/vnd.sentry.attachment.v2"}) {
    const auto given = item.content_type.substr(0, name.size());
    if (std::ranges::equal(given, name, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; }))
      return true;
  }
  return false;
}

std::optional<TraceAttachment> split_trace_attachment(const Item& item) {
  if (!is_trace_attachment(item) || !item.meta_length || *item.meta_length > item.payload.size()) return std::nullopt;
  return TraceAttachment{item.payload.substr(0, *item.meta_length), item.payload.substr(*item.meta_length)};
}

bool belongs_to_span(const Item& item) {
  if (!is_trace_attachment(item)) return false;
  JsonObjectReader reader(item.header);
  while (const auto member = reader.next()) {
    if (member->named("span_id")) return true;
  }
  return false;
}

Item with_payload(const Item& item, std::string_view payload) {
  auto changed = item;
  changed.payload = payload;
  if (const auto parts = split_trace_attachment(item); parts && payload.size() >= parts->body.size())
    changed.meta_length = payload.size() - parts->body.size();
  return changed;
}

}  // namespace picket::relay

#include "relay/protocol/envelope.h"

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
  // An attachment of a trace stands alone.
  return !item.content_type.starts_with("application/vnd.sentry.trace-attachment");
}

}  // namespace picket::relay

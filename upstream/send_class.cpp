#include "upstream/send_class.h"

#include <algorithm>
#include <cstdlib>

namespace picket::upstream {
namespace {

SendClass class_of_category(relay::DataCategory category) {
  using relay::DataCategory;
  switch (category) {
    case DataCategory::default_:
    case DataCategory::error:
    case DataCategory::security:
    case DataCategory::feedback:
    case DataCategory::user_report: return SendClass::errors;
    case DataCategory::monitor:
    case DataCategory::monitor_seat:
    case DataCategory::uptime: return SendClass::check_ins;
    case DataCategory::session: return SendClass::sessions;
    case DataCategory::transaction:
    case DataCategory::transaction_processed:
    case DataCategory::transaction_indexed:
    case DataCategory::span:
    case DataCategory::span_indexed: return SendClass::transactions;
    case DataCategory::log_item:
    case DataCategory::log_byte:
    case DataCategory::metric_bucket:
    case DataCategory::metric_second:
    case DataCategory::trace_metric:
    case DataCategory::trace_metric_byte: return SendClass::logs;
    case DataCategory::replay:
    case DataCategory::replay_video:
    case DataCategory::profile:
    case DataCategory::profile_indexed:
    case DataCategory::profile_duration:
    case DataCategory::profile_chunk:
    case DataCategory::profile_duration_ui:
    case DataCategory::profile_chunk_ui:
    case DataCategory::profile_backend:
    case DataCategory::profile_ui: return SendClass::replays;
    case DataCategory::attachment:
    case DataCategory::attachment_item: return SendClass::attachments;
    default: return SendClass::other;
  }
}

}  // namespace

std::string_view class_name(SendClass send_class) {
  switch (send_class) {
    case SendClass::errors: return "errors";
    case SendClass::check_ins: return "check_ins";
    case SendClass::sessions: return "sessions";
    case SendClass::transactions: return "transactions";
    case SendClass::logs: return "logs";
    case SendClass::replays: return "replays";
    case SendClass::attachments: return "attachments";
    case SendClass::other: return "other";
  }
  std::abort();
}

std::optional<SendClass> parse_send_class(std::string_view name) {
  for (const SendClass one : send_classes) {
    if (class_name(one) == name) return one;
  }
  return std::nullopt;
}

SendClass class_of(const std::vector<relay::DataCategory>& decisive) {
  SendClass first = SendClass::other;
  for (const auto category : decisive) first = std::min(first, class_of_category(category));
  return first;
}

}  // namespace picket::upstream

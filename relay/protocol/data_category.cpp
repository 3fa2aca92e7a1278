#include "relay/protocol/data_category.h"

#include <algorithm>
#include <array>

namespace picket::relay {
namespace {

struct CategoryName {
  std::string_view name;
  DataCategory category;
};

// The first name of a category is the one it is written with.
constexpr std::array category_names{
    CategoryName{"default", DataCategory::default_},
    CategoryName{"error", DataCategory::error},
    CategoryName{"transaction", DataCategory::transaction},
    CategoryName{"security", DataCategory::security},
    CategoryName{"attachment", DataCategory::attachment},
    CategoryName{"session", DataCategory::session},
    CategoryName{"profile", DataCategory::profile},
    CategoryName{"replay", DataCategory::replay},
    CategoryName{"transaction_processed", DataCategory::transaction_processed},
    CategoryName{"transaction_indexed", DataCategory::transaction_indexed},
    CategoryName{"monitor", DataCategory::monitor},
    CategoryName{"profile_indexed", DataCategory::profile_indexed},
    CategoryName{"span", DataCategory::span},
    CategoryName{"monitor_seat", DataCategory::monitor_seat},
    CategoryName{"feedback", DataCategory::feedback},
    CategoryName{"user_report_v2", DataCategory::feedback},
    CategoryName{"metric_bucket", DataCategory::metric_bucket},
    CategoryName{"span_indexed", DataCategory::span_indexed},
    CategoryName{"profile_duration", DataCategory::profile_duration},
    CategoryName{"profile_chunk", DataCategory::profile_chunk},
    CategoryName{"metric_second", DataCategory::metric_second},
    CategoryName{"replay_video", DataCategory::replay_video},
    CategoryName{"uptime", DataCategory::uptime},
    CategoryName{"attachment_item", DataCategory::attachment_item},
    CategoryName{"log_item", DataCategory::log_item},
    CategoryName{"log_byte", DataCategory::log_byte},
    CategoryName{"profile_duration_ui", DataCategory::profile_duration_ui},
    CategoryName{"profile_chunk_ui", DataCategory::profile_chunk_ui},
    CategoryName{"seer_autofix", DataCategory::seer_autofix},
    CategoryName{"seer_scanner", DataCategory::seer_scanner},
    CategoryName{"prevent_user", DataCategory::prevent_user},
    CategoryName{"prevent_review", DataCategory::prevent_review},
    CategoryName{"size_analysis", DataCategory::size_analysis},
    CategoryName{"installable_build", DataCategory::installable_build},
    CategoryName{"trace_metric", DataCategory::trace_metric},
    CategoryName{"seer_user", DataCategory::seer_user},
    CategoryName{"profile_backend", DataCategory::profile_backend},
    CategoryName{"profile_ui", DataCategory::profile_ui},
    CategoryName{"trace_metric_byte", DataCategory::trace_metric_byte},
};

constexpr std::array<std::string_view, 7> outcome_names{
    "accepted", "filtered",       "rate_limited",       "invalid",
    "abuse",    "client_discard", "cardinality_limited"};

}  // namespace

std::string_view wire_name(DataCategory category) {
  if (category == DataCategory::client_report) return "client_report";
  if (category == DataCategory::user_report) return "user_report";
  const auto found =
      std::find_if(category_names.begin(), category_names.end(),
                   [category](const CategoryName& entry) { return entry.category == category; });
  return found == category_names.end() ? "unknown" : found->name;
}

std::optional<DataCategory> parse_data_category(std::string_view name) {
  const auto found = std::find_if(category_names.begin(), category_names.end(),
                                  [name](const CategoryName& entry) { return entry.name == name; });
  if (found == category_names.end()) return std::nullopt;
  return found->category;
}

std::string_view wire_name(Outcome outcome) {
  const auto index = static_cast<std::size_t>(outcome);
  return index < outcome_names.size() ? outcome_names[index] : "unknown";
}

std::optional<Outcome> parse_outcome(std::string_view name) {
  const auto found = std::find(outcome_names.begin(), outcome_names.end(), name);
  if (found == outcome_names.end()) return std::nullopt;
  return static_cast<Outcome>(found - outcome_names.begin());
}

}  // namespace picket::relay

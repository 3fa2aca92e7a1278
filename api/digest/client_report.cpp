#include "api/digest/client_report.h"

#include "api/digest/json_shape.h"
#include "api/digest/outcome_sums.h"

#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_drops = 100;
// No SDK drops more between two reports; a larger number is nonsense that would spoil the sums.
constexpr std::int64_t most_quantity = 1'000'000'000;

std::optional<relay::Outcome> outcome_of_list(std::string_view name) {
  if (name == "discarded_events") return relay::Outcome::client_discard;
  if (name == "rate_limited_events") return relay::Outcome::rate_limited;
  if (name == "filtered_events" || name == "filtered_sampling_events")
    return relay::Outcome::filtered;
  return std::nullopt;
}

std::optional<ReportedDrop> read_drop(JsonElement entry, relay::Outcome outcome) {
  JsonObject object;
  if (entry.get(object) != simdjson::SUCCESS) return std::nullopt;
  ReportedDrop drop;
  drop.outcome = outcome;
  TextArena arena;
  for (const auto [key, value] : object) {
    if (key == "reason") {
      drop.reason = clean_reason(text_of(value, arena, {200, 0}));
    } else if (key == "category") {
      const auto category = relay::parse_data_category(text_of(value, arena, {64, 0}));
      drop.category = category.value_or(relay::DataCategory::unknown);
    } else if (key == "quantity") {
      const auto quantity = number_of(value).value_or(0);
      if (quantity > 0 && quantity <= most_quantity)
        drop.quantity = static_cast<std::uint64_t>(quantity);
    }
  }
  if (drop.quantity == 0) return std::nullopt;
  return drop;
}

}  // namespace

std::vector<ReportedDrop> read_client_report(std::string_view json) {
  std::vector<ReportedDrop> drops;
  bool repaired = false;
  const auto root = parse_json(json, repaired);
  const auto report = root ? object_of(*root) : std::nullopt;
  if (!report) return drops;
  for (const auto [key, value] : *report) {
    const auto outcome = outcome_of_list(key);
    if (!outcome) continue;
    for_each_value(value, most_drops, [&](JsonElement entry) {
      if (drops.size() == most_drops) return;
      if (auto drop = read_drop(entry, *outcome)) drops.push_back(*std::move(drop));
    });
  }
  return drops;
}

}  // namespace picket::digest

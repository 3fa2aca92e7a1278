#include "relay/ingest/shedding.h"

#include "buffer/schema/rows.pb.h"
#include "relay/filter/quota.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace picket::ingest {

Result<std::vector<relay::DataCategory>> parse_low_value(const IngestConfig& config) {
  if (config.low_value.empty()) return std::vector<relay::DataCategory>();
  auto categories = filter::parse_categories(config.low_value);
  if (!categories) return Error{Fault::malformed, "ingest.low_value: " + categories.error().detail};
  if (categories->empty()) return Error{Fault::malformed, "ingest.low_value names categories one by one"};
  return categories;
}

Shedding::Shedding(const buffer::Journal& journal, const IngestConfig& config)
    : journal_(journal), low_value_(*parse_low_value(config)) {}

std::span<const relay::DataCategory> Shedding::refused() const {
  if (low_value_.empty() || journal_.room_step() == buffer::RoomStep::ample) return {};
  return low_value_;
}

std::function<bool(const buffer::StoredRecord&)> make_worth_least(const IngestConfig& config) {
  auto low_value = *parse_low_value(config);
  return [low_value = std::move(low_value)](const buffer::StoredRecord& record) {
    if (record.kind != buffer::RecordKind::envelope) return false;
    schema::IntakeMeta meta;
    if (!meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()))) return false;
    // Attachments share the fate of what they came with; alone they may be a crash.
    constexpr auto attachment = static_cast<std::uint64_t>(relay::DataCategory::attachment);
    const auto is_low = [&](std::uint64_t category) {
      return std::ranges::any_of(low_value, [&](auto low) { return static_cast<std::uint64_t>(low) == category; });
    };
    bool any = false;
    const auto& counts = meta.item_counts();
    for (int i = 0; i + 1 < counts.size(); i += 2) {
      if (counts[i] == attachment) continue;
      if (!is_low(counts[i])) return false;
      any = true;
    }
    return any;
  };
}

relay::RateLimit low_room_limit(std::span<const relay::DataCategory> refused, Time now) {
  relay::RateLimit limit;
  limit.categories.assign(refused.begin(), refused.end());
  limit.all = false;
  limit.scope = "organization";
  limit.reason = low_room_reason;
  limit.until = now + std::chrono::seconds(60);
  return limit;
}

}  // namespace picket::ingest

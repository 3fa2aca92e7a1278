#include "relay/ingest/spike.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/data_category.h"

#include <algorithm>
#include <cstddef>

namespace picket::ingest {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;

bool counts(std::uint8_t category, std::uint8_t outcome) {
  using relay::DataCategory;
  if (outcome != static_cast<std::uint8_t>(relay::Outcome::accepted)) return false;
  const auto of = static_cast<DataCategory>(category);
  return of == DataCategory::error || of == DataCategory::default_ ||
         of == DataCategory::transaction;
}

}  // namespace

std::uint64_t find_spike_limit(const buffer::Reader& reader, relay::ProjectId project, Time now) {
  // outcomes: project u64, hour u64 (ms), category u8, outcome u8, reason text, key 16 bytes
  const auto this_hour = to_ms(now) / hour_ms * hour_ms;
  const auto from = this_hour - std::chrono::milliseconds(spike_baseline).count();
  const buffer::Key prefix = buffer::Key().u64(project);
  const auto start = buffer::Key().u64(project).u64(static_cast<std::uint64_t>(std::max<std::int64_t>(from, 0)));
  std::uint64_t sum = 0;
  std::int64_t first = this_hour;
  auto cursor = reader.cursor(buffer::Table::outcomes);
  for (bool there = cursor.seek(start); there; there = cursor.next()) {
    if (!cursor.key().starts_with(prefix.view())) break;
    buffer::KeyReader key(cursor.key().substr(prefix.view().size()));
    const auto hour = static_cast<std::int64_t>(key.u64());
    if (hour >= this_hour) break;
    const auto category = key.u8();
    if (!counts(category, key.u8())) continue;
    first = std::min(first, hour);
    sum += buffer::parse_row<schema::Count>(cursor.value()).quantity();
  }
  const auto hours = static_cast<std::uint64_t>(std::max<std::int64_t>((this_hour - first) / hour_ms, 1));
  return std::max(spike_least_limit, spike_multiple * sum / hours);
}

}  // namespace picket::ingest

#include "upstream/batch_pace.h"

#include <algorithm>

namespace picket::upstream {
namespace {

constexpr std::size_t least_under_way = std::size_t{64} << 10;
constexpr std::size_t most_under_way = std::size_t{8} << 20;
// Smaller ones compress less well: ten events of one application, perhaps.
constexpr std::size_t worthwhile_batch = std::size_t{128} << 10;
constexpr std::size_t largest_batch = std::size_t{2} << 20;
constexpr std::size_t quick_link = std::size_t{1} << 20;
// Beside two and four round trips of a packet, which TCP may need for a batch on a young connection.
constexpr Duration quick = std::chrono::seconds(1);
constexpr Duration slow = std::chrono::seconds(3);
// Where searching longer stops paying: 9 takes a tenth off the bytes of 3, for three times its work.
constexpr int thorough_level = 9;

}  // namespace

std::size_t BatchPace::batch_bytes() const {
  const auto quarter = std::clamp(most_bytes_ / 4, worthwhile_batch, largest_batch);
  return std::min(quarter, most_bytes_ / 2);
}

int BatchPace::level(std::uint64_t configured) const {
  if (configured > 1) return static_cast<int>(configured);
  return most_bytes_ >= quick_link ? 1 : thorough_level;
}

void BatchPace::note(const Ended& ended) {
  const auto took = std::chrono::ceil<Duration>(ended.now - ended.began);
  if (took > slow + 4 * ended.round_trip) return shrink(ended.began, ended.now);
  if (ended.full && took < quick + 2 * ended.round_trip) most_bytes_ = std::min(most_bytes_ + batch_bytes() / 2, most_under_way);
}

void BatchPace::shrink(Steady::time_point began, Steady::time_point now) {
  if (began < shrunk_at_) return;
  shrunk_at_ = now;
  most_bytes_ = std::max(most_bytes_ / 2, least_under_way);
}

}  // namespace picket::upstream

#include "upstream/batch_pace.h"

#include <algorithm>

namespace picket::upstream {
namespace {

constexpr std::size_t least_under_way = std::size_t{64} << 10;
// To an upstream as near as this or nearer.
constexpr std::size_t near_under_way = std::size_t{8} << 20;
constexpr Duration near_round_trip = std::chrono::milliseconds(100);
// To the farthest: what 20 Mbit/s carry in 1.3 s, packed to a seventh.
constexpr std::size_t far_under_way = std::size_t{24} << 20;
// Smaller ones compress less well: ten events of one application, perhaps.
constexpr std::size_t worthwhile_batch = std::size_t{128} << 10;
constexpr std::size_t largest_batch = std::size_t{2} << 20;
constexpr std::size_t quick_link = std::size_t{1} << 20;
// Beside two and four round trips of a packet; on a young connection six, which TCP needs for a batch of 300 kB.
constexpr Duration quick = std::chrono::seconds(1);
constexpr Duration slow = std::chrono::seconds(3);
constexpr int quick_round_trips = 2;
constexpr int slow_round_trips = 4;
constexpr int young_round_trips = 6;
// Batches that took no longer than this, beside round trips, left the link idle for most of the time.
constexpr Duration instant = quick / 4;
// Where searching longer stops paying: 9 takes a tenth off the bytes of 3, for three times its work.
constexpr int thorough_level = 9;

std::size_t most_under_way(Duration round_trip) {
  const auto times = std::clamp<Duration::rep>(round_trip / near_round_trip, 1, far_under_way / near_under_way);
  return near_under_way * static_cast<std::size_t>(times);
}

}  // namespace

std::size_t BatchPace::batch_bytes() const {
  const auto quarter = std::clamp(most_bytes_ / 4, worthwhile_batch, largest_batch);
  return std::min(quarter, most_bytes_ / 2);
}

bool BatchPace::may_begin(std::size_t bytes_under_way) const {
  // A batch is closed by the envelope that goes beyond its bytes, so those under way are somewhat larger. A slow link does without
  // the last of them: it is busy anyhow.
  const auto beyond = most_bytes_ >= quick_link ? batch_bytes() / 4 : 0;
  return bytes_under_way == 0 || bytes_under_way + batch_bytes() <= most_bytes_ + beyond;
}

int BatchPace::level(std::uint64_t configured) const {
  if (configured > 1) return static_cast<int>(configured);
  return most_bytes_ >= quick_link ? 1 : thorough_level;
}

bool BatchPace::is_wide() const {
  return most_bytes_ > near_under_way;
}

void BatchPace::note(const Ended& ended) {
  const auto took = std::chrono::ceil<Duration>(ended.now - ended.began);
  if (took > slow + (ended.young ? young_round_trips : slow_round_trips) * ended.round_trip) return shrink(ended.began, ended.now);
  const auto beside = (ended.young ? young_round_trips : quick_round_trips) * ended.round_trip;
  if (ended.full_bytes == 0 || took >= quick + beside) return;
  // When all that are under way are so: a half more, as much again, or three times as much.
  const std::size_t halves = !steep_ ? 1 : took < instant + beside ? 6 : 2;
  most_bytes_ = std::min(most_bytes_ + halves * ended.full_bytes / 2, most_under_way(ended.round_trip));
}

void BatchPace::shrink(Steady::time_point began, Steady::time_point now) {
  if (began < shrunk_at_) return;
  shrunk_at_ = now;
  steep_ = false;
  most_bytes_ = std::max(most_bytes_ / 2, least_under_way);
}

}  // namespace picket::upstream

#include "api/digest/digest_pace.h"

#include <algorithm>

namespace picket::digest {

Pace DigestPace::after(const BatchTaken& batch, Steady::time_point now) {
  constexpr std::size_t stream = 256;
  constexpr Duration a_little_behind(1'000);
  constexpr Duration far_behind(30'000);
  constexpr Duration starved(2'000);
  constexpr Duration for_a_while(30'000);
  if (batch.records < stream) return Pace::ordinary;
  const auto stretch = std::max(batch.stretch, Duration(1));
  const double needs = static_cast<double>(batch.processor.count()) / static_cast<double>(stretch.count());
  needed_ += (std::min(needs, 10.0) - needed_) / 8;
  const bool too_fast = needed_ >= 1;
  if (batch.took >= starved) starved_at_ = now;
  if (batch.behind > (too_fast ? far_behind : a_little_behind)) return Pace::ordinary;
  if (starved_at_ && now - *starved_at_ < for_a_while) return Pace::ordinary;
  return Pace::courteous;
}

}  // namespace picket::digest

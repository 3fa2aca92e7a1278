#include "upstream/byte_rate.h"

#include <algorithm>
#include <cmath>

namespace picket::upstream {

double ByteRate::level_at(Steady::time_point now) const {
  if (at_ == Steady::time_point{}) return level_;
  const std::chrono::duration<double> passed = now - at_;
  return std::min(level_ + std::max(passed.count(), 0.0) * rate_, std::max(rate_ / 10, 1.0));
}

void ByteRate::charge(std::uint64_t bytes, Steady::time_point now) {
  level_ = level_at(now) - static_cast<double>(bytes);
  at_ = now;
}

std::uint64_t ByteRate::take(std::uint64_t wanted, Steady::time_point now) {
  if (!capped()) return wanted;
  level_ = level_at(now);
  at_ = now;
  if (level_ < std::min(piece(), static_cast<double>(wanted))) return 0;
  const auto taken = std::min(wanted, static_cast<std::uint64_t>(level_));
  level_ -= static_cast<double>(taken);
  return taken;
}

Duration ByteRate::ready_in(Steady::time_point now) const {
  if (!capped()) return Duration(0);
  const double missing = piece() - level_at(now);
  if (missing <= 0) return Duration(0);
  return Duration(static_cast<Duration::rep>(std::ceil(missing / rate_ * 1'000)));
}

}  // namespace picket::upstream

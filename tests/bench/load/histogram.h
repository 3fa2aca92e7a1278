// Latencies by the nanosecond, kept to within 1 %: 128 steps for every power of two.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace picket::load {

class Histogram {
 public:
  void record(std::uint64_t nanoseconds) {
    ++counts_.at(slot_of(nanoseconds));
    ++count_;
    if (nanoseconds > max_) max_ = nanoseconds;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The least value that the given part (0 … 1) of all does not exceed; 0 when empty.
  std::uint64_t percentile(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_.at(slot);
      if (seen > wanted || (seen == count_ && seen != 0))
        return upper_bound_of(slot) < max_ ? upper_bound_of(slot) : max_;
    }
    return 0;
  }

 private:
  static constexpr int bits = 7;
  static constexpr std::size_t steps = std::size_t{1} << bits;

  static std::size_t slot_of(std::uint64_t value) {
    if (value < steps) return static_cast<std::size_t>(value);
    const int shift = static_cast<int>(std::bit_width(value)) - bits - 1;
    return static_cast<std::size_t>(shift + 1) * steps +
           static_cast<std::size_t>((value >> shift) - steps);
  }
  static std::uint64_t upper_bound_of(std::size_t slot) {
    if (slot < steps) return slot;
    const auto shift = slot / steps - 1;
    return ((slot % steps + steps + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * steps> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace picket::load

// The numbers of a group, for percentiles. Up to 20,000 are kept as they are and percentiles of them are exact.
// Of more it is counted how many lie between bounds that are 1/256 of a number apart at most (the sign, the exponent
// and eight bits of the fraction of a double): a percentile is then within 0.4 % of the exact one. The least and the
// greatest number stay exact. Counting takes a tenth of what so many numbers take, and no random places of memory.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace picket::query {

class Percentiles {
 public:
  static constexpr std::size_t most_exact = 20'000;

  // Those of `values` that `rows` name; NaN is none. The bytes of memory that this took.
  std::size_t add(std::span<const double> values, std::span<const std::uint32_t> rows);
  // Between those two that are nearest, when the share (0 … 1) lies between two. Nothing without numbers.
  std::optional<double> at(double share) const;

 private:
  // Counters of the numbers that share sign and exponent lie together, where there are any.
  static constexpr unsigned fraction_bits = 8;
  static constexpr unsigned dropped_bits = 52 - fraction_bits;
  static constexpr std::size_t page_counters = std::size_t{1} << fraction_bits;
  static constexpr std::size_t most_pages = std::size_t{1} << 12;
  struct Counted {
    std::vector<std::uint16_t> pages = std::vector<std::uint16_t>(most_pages, 0);  // number + 1; 0: none
    std::vector<std::uint32_t> counters;
    std::size_t numbers = 0;
    double least = 0;
    double greatest = 0;
  };

  std::size_t start_counting();
  std::size_t count(std::span<const double> values, std::span<const std::uint32_t> rows);
  std::size_t add_page(std::size_t page);
  // Of the number that so many others precede.
  double counted_at(std::size_t place) const;

  std::vector<double> exact_;
  std::unique_ptr<Counted> counted_;
};

}  // namespace picket::query

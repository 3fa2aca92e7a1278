#include "api/query/percentiles.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace picket::query {

std::size_t Percentiles::add(std::span<const double> values, std::span<const std::uint32_t> rows) {
  if (counted_) return count(values, rows);
  std::size_t grown = 0;
  std::size_t taken = 0;
  for (; taken < rows.size() && exact_.size() < most_exact; ++taken) {
    const auto number = values[rows[taken]];
    if (std::isnan(number)) continue;
    if (exact_.size() == exact_.capacity()) {
      const auto before = exact_.capacity();
      exact_.reserve(std::min(most_exact, std::max<std::size_t>(16, 2 * before)));
      grown += (exact_.capacity() - before) * sizeof(double);
    }
    exact_.push_back(number);
  }
  const auto rest = rows.subspan(taken);
  if (std::ranges::all_of(rest, [&](std::uint32_t row) { return std::isnan(values[row]); })) return grown;
  return grown + start_counting() + count(values, rest);
}

std::size_t Percentiles::start_counting() {
  counted_ = std::make_unique<Counted>();
  counted_->least = counted_->greatest = exact_.front();
  std::vector<std::uint32_t> all(exact_.size());
  std::iota(all.begin(), all.end(), 0U);
  const auto grown = sizeof(Counted) + most_pages * sizeof(std::uint16_t) + count(exact_, all);
  const auto freed = exact_.capacity() * sizeof(double);
  std::vector<double>().swap(exact_);
  return grown - std::min(grown, freed);
}

std::size_t Percentiles::count(std::span<const double> values, std::span<const std::uint32_t> rows) {
  auto& counted = *counted_;
  auto least = counted.least;
  auto greatest = counted.greatest;
  std::size_t numbers = 0;
  std::size_t grown = 0;
  const auto* const pages = counted.pages.data();
  const auto* const all = values.data();
  auto* counters = counted.counters.data();
  for (const auto row : rows) {
    const auto number = all[row];
    if (std::isnan(number)) continue;
    const auto bits = std::bit_cast<std::uint64_t>(number);
    const auto page = static_cast<std::size_t>(bits >> 52);
    if (pages[page] == 0) {
      grown += add_page(page);
      counters = counted.counters.data();
    }
    ++counters[(pages[page] - std::size_t{1}) * page_counters + (bits >> dropped_bits) % page_counters];
    least = std::min(least, number);
    greatest = std::max(greatest, number);
    ++numbers;
  }
  counted.least = least;
  counted.greatest = greatest;
  counted.numbers += numbers;
  return grown;
}

std::size_t Percentiles::add_page(std::size_t page) {
  auto& counters = counted_->counters;
  const auto before = counters.capacity();
  counters.resize(counters.size() + page_counters);
  counted_->pages[page] = static_cast<std::uint16_t>(counters.size() / page_counters);
  return (counters.capacity() - before) * sizeof(std::uint32_t);
}

double Percentiles::counted_at(std::size_t place) const {
  const auto& counted = *counted_;
  if (place == 0) return counted.least;
  if (place + 1 >= counted.numbers) return counted.greatest;
  std::size_t before = 0;
  constexpr auto half = most_pages / 2;
  for (std::size_t i = 0; i < most_pages; ++i) {
    // Of negative numbers the greatest bits come first.
    const bool negative = i < half;
    const auto page = negative ? most_pages - 1 - i : i - half;
    if (counted.pages[page] == 0) continue;
    const auto first = (counted.pages[page] - std::size_t{1}) * page_counters;
    for (std::size_t j = 0; j < page_counters; ++j) {
      const auto at = negative ? page_counters - 1 - j : j;
      const auto own = counted.counters[first + at];
      if (place >= before + own) {
        before += own;
        continue;
      }
      if (page % half == 0) return 0;  // or so near to it that doubles lose their precision
      const auto bits = static_cast<std::uint64_t>(page * page_counters + at) << dropped_bits;
      const auto nearer = std::bit_cast<double>(bits);  // to zero
      const auto farther = std::bit_cast<double>(bits | ((std::uint64_t{1} << dropped_bits) - 1));
      const auto share = (static_cast<double>(place - before) + 0.5) / own;
      const auto number = nearer + (farther - nearer) * (negative ? 1 - share : share);
      return std::clamp(number, counted.least, counted.greatest);
    }
  }
  return counted.greatest;
}

std::optional<double> Percentiles::at(double share) const {
  const auto numbers = counted_ ? counted_->numbers : exact_.size();
  if (numbers == 0) return std::nullopt;
  const double at = share * static_cast<double>(numbers - 1);
  const auto place = static_cast<std::size_t>(at);
  double below = 0;
  double above = 0;
  if (counted_) {
    below = counted_at(place);
    above = counted_at(std::min(place + 1, numbers - 1));
  } else {
    auto sorted = exact_;
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(place);
    std::ranges::nth_element(sorted, nth);
    below = *nth;
    above = nth + 1 == sorted.end() ? *nth : *std::min_element(nth + 1, sorted.end());
  }
  return below + (above - below) * (at - std::floor(at));
}

}  // namespace picket::query

#include "api/query/percentiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace picket::query {
namespace {

// REQUIRES: sorted
double exact_at(const std::vector<double>& numbers, double share) {
  const double at = share * static_cast<double>(numbers.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, numbers.size() - 1);
  return numbers[below] + (numbers[above] - numbers[below]) * (at - std::floor(at));
}

// As blocks are added: some rows of each, in pieces of any size.
void add_all(Percentiles& percentiles, const std::vector<double>& numbers, std::size_t piece) {
  for (std::size_t begin = 0; begin < numbers.size(); begin += piece) {
    std::vector<std::uint32_t> rows(std::min(piece, numbers.size() - begin));
    std::iota(rows.begin(), rows.end(), static_cast<std::uint32_t>(begin));
    percentiles.add(numbers, rows);
  }
}

constexpr double shares[] = {0, 0.001, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.9999, 1};

TEST(Percentiles, AreExactUpToTwentyThousand) {
  std::mt19937_64 random(1);
  for (const std::size_t count : {1U, 2U, 3U, 100U, 19'999U, 20'000U}) {
    std::vector<double> numbers(count);
    for (auto& number : numbers) number = static_cast<double>(random() % 3'000'000) / 1000.0 - 500;
    Percentiles percentiles;
    add_all(percentiles, numbers, 4096);
    std::ranges::sort(numbers);
    for (const auto share : shares) EXPECT_DOUBLE_EQ(percentiles.at(share).value(), exact_at(numbers, share)) << count << " at " << share;
  }
}

TEST(Percentiles, AreWithinFourThousandthsOfTheExactOneBeyondThat) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> even(0, 1);
  const std::pair<const char*, std::function<double()>> kinds[] = {
      {"even", [&] { return even(random) * 3000; }},
      {"long tail", [&] { return std::exp(std::normal_distribution<double>(5, 2)(random)); }},
      {"power", [&] { return std::pow(even(random) + 1e-12, -2.0); }},
      {"both signs", [&] { return std::normal_distribution<double>(0, 100)(random); }},
      {"below zero", [&] { return -std::exp(std::normal_distribution<double>(0, 3)(random)); }},
      {"few values", [&] { return static_cast<double>(random() % 5); }},
      {"one value", [&] { return 1234.567; }},
      {"all magnitudes", [&] { return std::pow(10.0, even(random) * 600 - 300); }},
  };
  for (const auto& [kind, draw] : kinds) {
    std::vector<double> numbers(40'000);
    for (auto& number : numbers) number = draw();
    Percentiles percentiles;
    add_all(percentiles, numbers, 3000);
    std::ranges::sort(numbers);
    for (const auto share : shares) {
      // Between two of different signs there may be anything; both ends are exact in their own size.
      const auto exact = exact_at(numbers, share);
      const auto size = std::max(std::abs(exact), std::abs(exact_at(numbers, std::max(0.0, share - 1e-5))));
      EXPECT_NEAR(percentiles.at(share).value(), exact, size * 0.004) << kind << " at " << share;
    }
    EXPECT_EQ(percentiles.at(0), numbers.front()) << kind;
    EXPECT_EQ(percentiles.at(1), numbers.back()) << kind;
  }
}

TEST(Percentiles, PassOverWhatIsNoNumber) {
  Percentiles percentiles;
  EXPECT_FALSE(percentiles.at(0.5));
  std::vector<double> numbers(90'000);
  std::vector<double> real;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(i);
    if (i % 3 != 0) real.push_back(numbers[i]);
  }
  add_all(percentiles, numbers, 1000);
  EXPECT_NEAR(percentiles.at(0.5).value(), exact_at(real, 0.5), 0.004 * exact_at(real, 0.5));
  EXPECT_EQ(percentiles.at(1), real.back());
}

// What is told covers what is held, and counting gives memory back.
TEST(Percentiles, TellWhatTheyTake) {
  std::vector<double> numbers(50'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1 + static_cast<double>(i) / 10;
  std::vector<std::uint32_t> rows(20'000);
  std::iota(rows.begin(), rows.end(), 0U);
  Percentiles percentiles;
  EXPECT_EQ(percentiles.add(numbers, rows), 160'000U);
  std::iota(rows.begin(), rows.end(), 20'000U);
  EXPECT_LE(percentiles.add(numbers, rows), 32'000U);
}

}  // namespace
}  // namespace picket::query

#include "bench/load/histogram.h"

#include <gtest/gtest.h>

#include <limits>

namespace picket::load {
namespace {

TEST(Histogram, KnowsNothingWhenEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), 0U);
  EXPECT_EQ(histogram.count(), 0U);
}

TEST(Histogram, IsWithinOnePercent) {
  for (const std::uint64_t value :
       {1ULL, 127ULL, 128ULL, 129ULL, 1'000ULL, 123'456ULL, 1'000'000ULL, 30'000'000'000ULL}) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(std::numeric_limits<std::uint64_t>::max());
    const auto found = histogram.percentile(0.25);
    EXPECT_GE(found, value);
    EXPECT_LE(static_cast<double>(found), static_cast<double>(value) * 1.01 + 1);
  }
}

TEST(Histogram, OrdersPercentiles) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 1'000; ++i)
    histogram.record(i * 1'000);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.5)), 500'000, 6'000);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.99)), 990'000, 11'000);
  EXPECT_EQ(histogram.percentile(1.0), 1'000'000U);
  EXPECT_EQ(histogram.max(), 1'000'000U);
}

}  // namespace
}  // namespace picket::load

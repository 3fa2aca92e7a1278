#include "upstream/drain_estimate.h"

#include <gtest/gtest.h>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using Period = ByteBudget::Period;

constexpr Time noon = time_from_ms(1'774'267'200'000);  // Monday, 2026-03-23 12:00 UTC

class DrainEstimate : public ::testing::Test {
 protected:
  // `settled` and `arrived` records a second, of `bytes` each.
  static DrainRate rate(std::uint64_t settled, std::uint64_t arrived, std::uint64_t bytes = 1'000) {
    DrainRate made;
    for (std::uint64_t second = 0; second <= 120; ++second) {
      made.note(DrainRate::Steady::time_point{} + std::chrono::seconds(second + 1), settled * second, arrived * second, settled * second * bytes, true);
    }
    return made;
  }
  std::optional<Time> estimate(std::uint64_t waiting, const DrainRate& by) {
    day.load(0, 0, noon);
    month.load(0, 0, noon);
    return estimate_drained(noon, waiting, by, schedule, day, month);
  }
  static void expect_about(std::optional<Time> found, Time wanted) {
    ASSERT_TRUE(found);
    EXPECT_LE(std::abs((*found - wanted).count()), 2'000) << to_ms(*found) << " and not " << to_ms(wanted);
  }

  Schedule schedule;
  ByteBudget day{Period::day, 0, TimeZone()};
  ByteBudget month{Period::month, 0, TimeZone()};
};

TEST_F(DrainEstimate, IsWhatWaitsByHowFastItGoes) {
  expect_about(estimate(36'000, rate(10, 0)), noon + 1h);
  expect_about(estimate(36'000, rate(20, 10)), noon + 1h);
  expect_about(estimate(0, rate(10, 0)), noon);
  expect_about(estimate(10 * 86'400 * 3, rate(10, 0)), noon + 72h);
}

TEST_F(DrainEstimate, SaysNothingWhenItCannotBeKnown) {
  EXPECT_FALSE(estimate(100, DrainRate()));
  EXPECT_FALSE(estimate(100, rate(0, 5)));
  EXPECT_FALSE(estimate(1'000'000, rate(10, 11))) << "more arrives than leaves";
}

TEST_F(DrainEstimate, CountsOnlyTheTimeInItsWindows) {
  schedule = *Schedule::parse({"22:00-06:00"}, TimeZone());
  expect_about(estimate(3'600 * 3, rate(1, 0)), noon + 13h);
  expect_about(estimate(3'600 * 10, rate(1, 0)), noon + 36h);  // two hours of the second night
}

TEST_F(DrainEstimate, CountsWhatTheCapsLeaveOfTheDays) {
  day = ByteBudget(Period::day, 1'000'000, TimeZone());
  // A thousand records a day, which take 100 s: today's, tomorrow's and half of the day's after.
  expect_about(estimate(2'500, rate(10, 0)), noon + 36h + 50s);
  month = ByteBudget(Period::month, 1'500'000, TimeZone());
  // The month has room for a thousand and a half; the rest goes on the 1st of April.
  const auto found = estimate(2'000, rate(10, 0));
  expect_about(found, time_from_ms(1'775'001'600'000) + 50s);
}

TEST_F(DrainEstimate, ForgetsHowFastItWentLongAgo) {
  auto changing = rate(1'000, 0);
  for (std::uint64_t second = 1; second <= 600; ++second) {
    changing.note(DrainRate::Steady::time_point{} + std::chrono::seconds(121 + second), 120'000 + 10 * second, 0, 0, true);
  }
  EXPECT_NEAR(changing.settled_per_second(), 10, 1);
  // While nothing may leave, the rate at which it left before stays.
  for (std::uint64_t second = 1; second <= 600; ++second) {
    changing.note(DrainRate::Steady::time_point{} + std::chrono::seconds(721 + second), 126'000, 0, 0, false);
  }
  EXPECT_NEAR(changing.settled_per_second(), 10, 1);
}

}  // namespace
}  // namespace picket::upstream

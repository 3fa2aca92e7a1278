#include "upstream/byte_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using Period = ByteBudget::Period;

Time at(int year, unsigned month, unsigned day, Duration since_midnight = 0ms) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  return Time(std::chrono::sys_days(date).time_since_epoch()) + since_midnight;
}

// Grants what is wanted, as a write that succeeds does.
void grant(ByteBudget& budget, std::uint64_t bytes) {
  budget.store(bytes, false);
  budget.on_written();
}

TEST(ByteBudget, AsksForAGrantBeforeAnythingGoes) {
  ByteBudget budget(Period::day, 1'000'000, TimeZone());
  budget.load(0, 0, at(2026, 5, 1));
  EXPECT_TRUE(budget.fits(5'000, 0));
  EXPECT_FALSE(budget.granted(5'000, 0));
  EXPECT_TRUE(budget.wants_grant(5'000));
  budget.store(5'000, false);
  EXPECT_FALSE(budget.granted(5'000, 0)) << "not written yet";
  EXPECT_FALSE(budget.wants_grant(5'000)) << "one is being written";
  budget.on_written();
  EXPECT_TRUE(budget.granted(5'000, 0));
  EXPECT_FALSE(budget.granted(1'000'000, 0));
  budget.spend(5'000);
  EXPECT_TRUE(budget.wants_grant(50'000)) << "more than what was granted ahead";
}

TEST(ByteBudget, StartsAnewWithEachLocalDayAndMonth) {
  const auto vienna = TimeZone::find("Europe/Vienna");
  ASSERT_TRUE(vienna);
  ByteBudget day(Period::day, 1'000'000, *vienna);
  ByteBudget month(Period::month, 1'000'000, *vienna);
  const Time evening = at(2026, 7, 31, 21h);  // 23:00 over there
  for (ByteBudget* budget : {&day, &month}) {
    budget->load(0, 0, evening);
    budget->spend(999'900);
    EXPECT_TRUE(budget->used_up(0));
    EXPECT_EQ(budget->next_period(evening), at(2026, 7, 31, 22h));
    budget->roll(at(2026, 7, 31, 21h + 59min));
    EXPECT_EQ(budget->spent(), 999'900U);
    budget->roll(at(2026, 7, 31, 22h));
    EXPECT_EQ(budget->spent(), 0U);
  }
  EXPECT_EQ(day.next_period(at(2026, 8, 1)), at(2026, 8, 1, 22h));
  EXPECT_EQ(month.next_period(at(2026, 12, 31)), at(2026, 12, 31, 23h));
  EXPECT_EQ(month.next_period(at(2026, 12, 31, 23h)), at(2027, 1, 31, 23h));
  // The clock is set forward in the night of the 29th of March.
  EXPECT_EQ(day.next_period(at(2026, 3, 28, 12h)), at(2026, 3, 28, 23h));
  EXPECT_EQ(day.next_period(at(2026, 3, 29, 12h)), at(2026, 3, 29, 22h));
}

TEST(ByteBudget, GivesNothingAnewWhenTheClockIsSetBack) {
  ByteBudget budget(Period::day, 100'000, TimeZone());
  budget.load(0, 0, at(2026, 5, 2));
  budget.spend(99'999);
  budget.roll(at(2026, 5, 1, 23h));
  EXPECT_TRUE(budget.used_up(0));
  budget.roll(at(2026, 5, 2));
  EXPECT_FALSE(budget.used_up(0));
}

TEST(ByteBudget, LetsABodyThatIsLargerThanItGoAloneWhenNothingWasSpent) {
  ByteBudget budget(Period::day, 100'000, TimeZone());
  budget.load(0, 0, at(2026, 5, 1));
  EXPECT_FALSE(budget.fits(200'000, 10));
  EXPECT_TRUE(budget.fits(200'000, 0));
  grant(budget, 200'000);
  EXPECT_TRUE(budget.granted(200'000, 0));
  budget.spend(200'000);
  EXPECT_TRUE(budget.used_up(0));
  EXPECT_FALSE(budget.fits(200'000, 0));
}

TEST(ByteBudget, GivesBackAtTheEndWhatWasGrantedAndNotSpent) {
  ByteBudget budget(Period::month, 1'000'000'000, TimeZone());
  budget.load(0, 0, at(2026, 5, 1));
  grant(budget, 1'000);
  budget.spend(700);
  const auto kept = budget.store(0, true);
  EXPECT_EQ(kept, 700U);
  ByteBudget next(Period::month, 1'000'000'000, TimeZone());
  next.load(budget.period(), kept, at(2026, 5, 1));
  EXPECT_EQ(next.spent(), 700U);
}

TEST(ByteBudget, WithoutACapCountsAndRefusesNothing) {
  ByteBudget budget(Period::day, 0, TimeZone());
  budget.load(0, 0, at(2026, 5, 1));
  budget.spend(1'000);
  EXPECT_TRUE(budget.fits(1ULL << 40, 0));
  EXPECT_TRUE(budget.granted(1ULL << 40, 0));
  EXPECT_FALSE(budget.wants_grant(1ULL << 40));
  EXPECT_EQ(budget.store(0, false), 1'000U);
}

// A process that is killed at any moment, a hundred times a day: what was sent stays below the cap, and
// what is counted never below what was sent.
TEST(ByteBudget, HoldsTheCapWheneverTheProcessIsKilled) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    std::mt19937 random(seed);
    constexpr std::uint64_t cap = 20'000'000;
    Time now = at(2026, 5, 1);
    std::int64_t row_period = 0;
    std::uint64_t row_bytes = 0;
    std::uint64_t sent_today = 0;
    std::int64_t today = 0;
    for (int life = 0; life < 100; ++life) {
      ByteBudget budget(Period::day, cap, TimeZone());
      budget.load(row_period, row_bytes, now);
      const auto steps = random() % 400;
      std::uint64_t under_way = 0;
      std::int64_t offered_period = 0;
      std::uint64_t offered = 0;
      bool writing = false;
      for (unsigned step = 0; step < steps; ++step) {
        now += Duration(random() % 2'000);
        budget.roll(now);
        if (budget.period() != today) {
          today = budget.period();
          sent_today = 0;
        }
        const std::uint64_t bytes = 200 + random() % 30'000;
        if (under_way == 0 && budget.fits(bytes, 0) && budget.granted(bytes, 0)) under_way = bytes;
        if (under_way > 0 && random() % 2 == 0) {
          const auto piece = std::min<std::uint64_t>(under_way, random() % 10'000);
          budget.spend(piece);
          sent_today += piece;
          under_way -= piece;
        }
        if (!writing && budget.wants_grant(under_way > 0 ? under_way : bytes)) {
          offered = budget.store(under_way > 0 ? under_way : bytes, false);
          offered_period = budget.period();
          writing = true;
        } else if (writing && random() % 4 == 0) {
          row_bytes = offered;
          row_period = offered_period;
          budget.on_written();
          writing = false;
        }
        ASSERT_LE(sent_today, cap) << "seed " << seed;
        if (row_period == today) {
          ASSERT_LE(sent_today, row_bytes) << "seed " << seed;
        }
      }
      // Killed; what was being written may have arrived.
      if (writing && random() % 2 == 0) {
        row_bytes = offered;
        row_period = offered_period;
      }
    }
  }
}

}  // namespace
}  // namespace picket::upstream

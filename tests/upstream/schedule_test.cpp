#include "upstream/schedule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

// 2026-03-23 is a Monday.
Time monday(Duration since_midnight = 0ms) {
  return Time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 23).time_since_epoch()) + since_midnight;
}

Schedule schedule(const std::vector<std::string>& windows, const char* zone = "UTC") {
  auto parsed = Schedule::parse(windows, TimeZone::find(zone).value());
  EXPECT_TRUE(parsed) << parsed.error().detail;
  return parsed ? *std::move(parsed) : Schedule();
}

TEST(Schedule, WithoutWindowsIsAlwaysOpen) {
  const auto always = schedule({});
  EXPECT_TRUE(always.open_at(monday()));
  EXPECT_EQ(always.next_change(monday()), Time::max());
  EXPECT_EQ(always.open_within(monday(), 5h), Duration(5h));
}

TEST(Schedule, OpensOverMidnight) {
  const auto night = schedule({"22:00-06:00"});
  EXPECT_TRUE(night.open_at(monday(5h + 59min)));
  EXPECT_FALSE(night.open_at(monday(6h)));
  EXPECT_FALSE(night.open_at(monday(21h + 59min)));
  EXPECT_TRUE(night.open_at(monday(22h)));
  EXPECT_EQ(night.next_change(monday(12h)), monday(22h));
  EXPECT_EQ(night.next_change(monday(22h)), monday(30h));
  EXPECT_EQ(night.open_within(monday(), 24h), Duration(8h));
  EXPECT_EQ(night.open_within(monday(23h), 10h), Duration(7h));
}

TEST(Schedule, LeavesANightToTheDayItBeginsOn) {
  const auto friday = schedule({"fri 22:00-06:00"});
  EXPECT_FALSE(friday.open_at(monday(4 * 24h + 5h)));
  EXPECT_TRUE(friday.open_at(monday(4 * 24h + 23h)));
  EXPECT_TRUE(friday.open_at(monday(5 * 24h + 5h)));
  EXPECT_FALSE(friday.open_at(monday(5 * 24h + 6h)));
  const auto sunday = schedule({"sun 22:00-06:00"});
  EXPECT_TRUE(sunday.open_at(monday(5h))) << "of the Sunday before";
}

TEST(Schedule, TakesSeveralWindowsAndDays) {
  const auto some = schedule({"sat,sun", "mon-fri 18:30-24:00", "fri-mon 03:00-04:00"});
  EXPECT_TRUE(some.open_at(monday(3h + 30min)));
  EXPECT_FALSE(some.open_at(monday(24h + 3h + 30min)));
  EXPECT_FALSE(some.open_at(monday(18h + 29min)));
  EXPECT_TRUE(some.open_at(monday(18h + 30min)));
  EXPECT_TRUE(some.open_at(monday(5 * 24h)));
  EXPECT_TRUE(some.open_at(monday(7 * 24h - 1ms)));
  EXPECT_FALSE(some.open_at(monday(7 * 24h)));
}

TEST(Schedule, FollowsTheClockOfItsZone) {
  const auto vienna = schedule({"22:00-06:00"}, "Europe/Vienna");
  EXPECT_EQ(vienna.next_change(monday(12h)), monday(21h));
  // On Sunday, the 29th, summer time begins: 22:00 comes an hour earlier.
  EXPECT_EQ(vienna.next_change(monday(6 * 24h + 12h)), monday(6 * 24h + 20h));
  EXPECT_EQ(vienna.open_within(monday(5 * 24h + 12h), 24h), Duration(7h)) << "the night in which the clock is put forward";
}

// Also where clocks are put back by half an hour, and where offsets are no whole hours.
TEST(Schedule, ChangesAreWhatLookingAtEachMinuteFinds) {
  for (const char* const zone : {"Europe/Vienna", "Australia/Lord_Howe", "Asia/Kathmandu"}) {
    const auto windows = schedule({"01:10-02:40", "fri 22:00-03:15"}, zone);
    const Time end = monday(40 * 24h);
    auto change = windows.next_change(monday());
    bool open = windows.open_at(monday());
    for (Time at = monday(1min); at < end; at += 1min) {
      ASSERT_EQ(at == change, windows.open_at(at) != open) << zone << ", minutes " << (at - monday()) / 1min;
      if (at != change) continue;
      open = !open;
      change = windows.next_change(at);
    }
  }
}

TEST(Schedule, SaysWhatIsNoWindow) {
  for (const char* const wrong : {"", "22:00", "22:00-22:00", "25:00-26:00", "24:00-06:00", "22:60-06:00", "day", "mon-", "mon,", "mon 22:00",
                                  "mon  22:00-06:00", "22:00-06:00 mon", "Mon", "2200-0600", "22:00-06:00,07:00-08:00", "a2:00-b6:00"}) {
    const auto parsed = Schedule::parse({wrong}, TimeZone());
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_NE(parsed.error().detail.find("is no window; write"), std::string::npos);
  }
}

}  // namespace
}  // namespace picket::upstream

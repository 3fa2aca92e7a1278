// Crontabs, intervals and the zones in which they are told.
#include "api/digest/monitor_schedule.h"

#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::digest {
namespace {

Time at(std::string_view text) {
  return time_from_ms(relay::parse_timestamp(text).value_or(-1));
}

// The runs after `from`, as "2024-01-01T00:05Z", joined by spaces.
std::string runs(std::string_view expression, std::string_view from, int count = 1, std::string_view zone = "UTC") {
  const auto crontab = Crontab::parse(expression);
  const auto found = TimeZone::find(zone);
  if (!crontab || !found) return "invalid";
  std::string all;
  auto last = at(from);
  for (int i = 0; i < count; ++i) {
    const auto next = crontab->next(last, *found);
    if (!next) return all + "never";
    all += (i > 0 ? " " : "") + relay::render_timestamp(to_ms(*next)).substr(0, 16) + "Z";
    last = *next;
  }
  return all;
}

struct Case {
  std::string_view expression;
  std::string_view from;
  std::string_view expected;
};

class CrontabRuns : public ::testing::TestWithParam<Case> {};
TEST_P(CrontabRuns, NextAfter) {
  EXPECT_EQ(runs(GetParam().expression, GetParam().from), GetParam().expected) << GetParam().expression;
}
INSTANTIATE_TEST_SUITE_P(Crontab, CrontabRuns, ::testing::Values(
    Case{"* * * * *", "2024-01-01T00:00:30Z", "2024-01-01T00:01Z"},
    Case{"* * * * *", "2024-01-01T00:00:00Z", "2024-01-01T00:01Z"},
    Case{"*/15 * * * *", "2024-01-01T00:46:00Z", "2024-01-01T01:00Z"},
    Case{"5/20 * * * *", "2024-01-01T00:06:00Z", "2024-01-01T00:25Z"},
    Case{"10-20/5 3 * * *", "2024-01-01T03:15:00Z", "2024-01-01T03:20Z"},
    Case{"0 0 1,15 * *", "2024-01-02T00:00:00Z", "2024-01-15T00:00Z"},
    Case{"30 4 * JAN-mar Mon", "2024-03-26T00:00:00Z", "2025-01-06T04:30Z"},
    Case{"0 12 * * 7", "2024-01-01T00:00:00Z", "2024-01-07T12:00Z"},
    Case{"0 12 * * sun", "2024-01-01T00:00:00Z", "2024-01-07T12:00Z"},
    // Either day suffices when both are restricted, and both must when one begins with a star.
    Case{"0 0 13 * 5", "2024-01-01T00:00:00Z", "2024-01-05T00:00Z"},
    Case{"0 0 */2 * 5", "2024-01-01T00:00:00Z", "2024-01-05T00:00Z"},
    Case{"0 0 */2 * 6", "2024-01-01T00:00:00Z", "2024-01-13T00:00Z"},
    Case{"0 0 L * *", "2024-02-01T00:00:00Z", "2024-02-29T00:00Z"},
    Case{"0 0 * * 5L", "2024-01-01T00:00:00Z", "2024-01-26T00:00Z"},
    Case{"0 0 * * 1#2", "2024-01-01T00:00:00Z", "2024-01-08T00:00Z"},
    Case{"0 0 29 2 *", "2023-01-01T00:00:00Z", "2024-02-29T00:00Z"},
    Case{"@daily", "2024-01-01T05:00:00Z", "2024-01-02T00:00Z"},
    Case{"@hourly", "2024-01-01T05:00:00Z", "2024-01-01T06:00Z"},
    Case{"@weekly", "2024-01-01T05:00:00Z", "2024-01-07T00:00Z"},
    Case{"@monthly", "2024-01-01T05:00:00Z", "2024-02-01T00:00Z"},
    Case{"@yearly", "2024-01-01T05:00:00Z", "2025-01-01T00:00Z"}));

TEST(Crontab, RefusesWhatIsNoExpression) {
  for (const auto* const text : {"", " ", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
                                 "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "1,,2 * * * *", "@never",
                                 "0 0 30 2 *", "0_*_*_*_*", "* * * * 1#6", "-1 * * * *", "99999999999999 * * * *"}) {
    EXPECT_FALSE(Crontab::parse(text)) << text;
  }
  EXPECT_FALSE(Crontab::parse(std::string(300, '*')));
}

TEST(Crontab, RunsOnceOnTheDayWhenTheClockGoesForward) {
  // 2024-03-31 02:00 CET becomes 03:00 CEST: 02:30 is skipped, and made up for at once.
  EXPECT_EQ(runs("30 2 * * *", "2024-03-30T12:00:00Z", 2, "Europe/Vienna"), "2024-03-31T01:00Z 2024-04-01T00:30Z");
  EXPECT_EQ(runs("30 3 * * *", "2024-03-30T12:00:00Z", 1, "Europe/Vienna"), "2024-03-31T01:30Z");
  EXPECT_EQ(runs("*/30 * * * *", "2024-03-31T00:10:00Z", 3, "Europe/Vienna"), "2024-03-31T00:30Z 2024-03-31T01:00Z 2024-03-31T01:30Z");
}

TEST(Crontab, RunsOnceOnTheDayWhenTheClockGoesBack) {
  // 2024-10-27 03:00 CEST becomes 02:00 CET: 02:30 comes twice.
  EXPECT_EQ(runs("30 2 * * *", "2024-10-26T12:00:00Z", 2, "Europe/Vienna"), "2024-10-27T00:30Z 2024-10-28T01:30Z");
  EXPECT_EQ(runs("0 * * * *", "2024-10-26T23:30:00Z", 4, "Europe/Vienna"),
            "2024-10-27T00:00Z 2024-10-27T01:00Z 2024-10-27T02:00Z 2024-10-27T03:00Z");
}

TEST(Crontab, KnowsTheSouthernHemisphereAndTheFarFuture) {
  EXPECT_EQ(runs("0 9 * * *", "2024-01-01T00:00:00Z", 1, "Australia/Sydney"), "2024-01-01T22:00Z");
  EXPECT_EQ(runs("0 9 * * *", "2024-07-01T00:00:00Z", 1, "Australia/Sydney"), "2024-07-01T23:00Z");
  // Beyond the table of a zone's file its rule goes on.
  EXPECT_EQ(runs("0 9 * * *", "2060-07-01T00:00:00Z", 1, "Europe/Vienna"), "2060-07-01T07:00Z");
  EXPECT_EQ(runs("0 9 * * *", "2060-01-01T00:00:00Z", 1, "Europe/Vienna"), "2060-01-01T08:00Z");
  EXPECT_EQ(runs("0 9 * * *", "2060-01-01T00:00:00Z", 1, "America/New_York"), "2060-01-01T14:00Z");
}

TEST(TimeZone, RefusesNamesThatAreNone) {
  for (const auto* const name : {"Nowhere", "../passwd", "/etc/passwd", "Europe", "Europe/Vienna\n", "a b"}) {
    EXPECT_FALSE(TimeZone::find(name)) << name;
  }
  EXPECT_TRUE(TimeZone::find(""));
  EXPECT_TRUE(TimeZone::find("UTC"));
  EXPECT_TRUE(TimeZone::find("America/Argentina/Buenos_Aires"));
}

TEST(TimeZone, RefusesBytesThatAreNoZone) {
  EXPECT_FALSE(TimeZone::parse(""));
  EXPECT_FALSE(TimeZone::parse("TZif2"));
  std::string header = "TZif2" + std::string(15, '\0') + std::string(24, '\xff');
  EXPECT_FALSE(TimeZone::parse(header + header));
}

schema::MonitorConfig every(std::uint32_t count, std::string unit, std::string zone = "UTC") {
  schema::MonitorConfig config;
  config.set_schedule_type(2);
  config.set_interval_count(count);
  config.set_interval_unit(std::move(unit));
  config.set_timezone(std::move(zone));
  return config;
}

TEST(Interval, CountsFromTheLastCheckIn) {
  const auto next = [](const schema::MonitorConfig& config, std::string_view last) {
    const auto found = next_check_in(config, at(last));
    return found ? relay::render_timestamp(to_ms(*found)).substr(0, 16) : "none";
  };
  EXPECT_EQ(next(every(10, "minute"), "2024-01-01T00:00:59Z"), "2024-01-01T00:10");
  EXPECT_EQ(next(every(2, "hour"), "2024-01-01T00:30:00Z"), "2024-01-01T02:30");
  EXPECT_EQ(next(every(1, "day"), "2024-01-01T00:30:00Z"), "2024-01-02T00:30");
  EXPECT_EQ(next(every(1, "week"), "2024-01-01T00:30:00Z"), "2024-01-08T00:30");
  EXPECT_EQ(next(every(1, "month"), "2024-01-31T00:30:00Z"), "2024-02-29T00:30");
  EXPECT_EQ(next(every(1, "year"), "2024-02-29T00:30:00Z"), "2025-02-28T00:30");
  EXPECT_EQ(next(every(1, "month", "Europe/Vienna"), "2024-03-15T11:00:00Z"), "2024-04-15T10:00");
  EXPECT_EQ(next(every(0, "minute"), "2024-01-01T00:00:00Z"), "none");
  EXPECT_EQ(next(every(1, "fortnight"), "2024-01-01T00:00:00Z"), "none");
  EXPECT_EQ(next(every(1, "day", "Nowhere"), "2024-01-01T00:00:00Z"), "none");
}

}  // namespace
}  // namespace picket::digest

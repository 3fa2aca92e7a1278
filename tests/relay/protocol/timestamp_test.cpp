#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

constexpr std::int64_t noon = 1'577'880'000'000;  // 2020-01-01T12:00:00Z

TEST(ParseTimestamp, ReadsWhatSdksSend) {
  for (const std::string text :
       {"2020-01-01T12:00:00Z", "2020-01-01T12:00:00.000Z", "2020-01-01T12:00:00.000000000Z",
        "2020-01-01t12:00:00z", "2020-01-01 12:00:00", "2020-01-01T12:00:00", "2020-01-01T12:00",
        "2020-01-01T12:00:00+00:00", "2020-01-01T14:00:00+02:00", "2020-01-01T14:00:00+0200",
        "2020-01-01T14:00:00+02", "2020-01-01T06:30:00-05:30", "2020-01-02T00:00:00+12:00",
        " 2020-01-01T12:00:00Z\r", "1577880000", "1577880000.0", "1.57788e9"}) {
    EXPECT_EQ(parse_timestamp(text), noon) << text;
  }
}

TEST(ParseTimestamp, KeepsMillisecondsAndCutsOffWhatIsFiner) {
  EXPECT_EQ(parse_timestamp("2020-01-01T12:00:00.5Z"), noon + 500);
  EXPECT_EQ(parse_timestamp("2020-01-01T12:00:00.123456789Z"), noon + 123);
  EXPECT_EQ(parse_timestamp("2020-01-01T12:00:00.9999999999999999999999Z"), noon + 999);
  EXPECT_EQ(parse_timestamp("1577880000.123"), noon + 123);
}

TEST(ParseTimestamp, ReadsADayAlone) {
  EXPECT_EQ(parse_timestamp("1970-01-02"), 86'400'000);
}

TEST(ParseTimestamp, KnowsTheCalendar) {
  EXPECT_EQ(parse_timestamp("2000-02-29"), 951'782'400'000);
  EXPECT_EQ(parse_timestamp("1969-12-31T23:59:59.999Z"), -1);
  EXPECT_FALSE(parse_timestamp("1900-02-29"));
  EXPECT_FALSE(parse_timestamp("2020-04-31"));
}

TEST(ParseTimestamp, CountsALeapSecond) {
  EXPECT_EQ(parse_timestamp("2016-12-31T23:59:60Z"), parse_timestamp("2017-01-01T00:00:00Z"));
}

TEST(ParseTimestamp, RefusesEverythingElse) {
  for (const std::string text : {"",
                                 " ",
                                 "now",
                                 "2020",
                                 "2020-01",
                                 "2020-13-01",
                                 "2020-00-10",
                                 "2020-01-00",
                                 "20-01-01",
                                 "2020-01-01T",
                                 "2020-01-01T24:00:00Z",
                                 "2020-01-01T12:60:00Z",
                                 "2020-01-01T12:00:61Z",
                                 "2020-01-01T12:00:00.Z",
                                 "2020-01-01T12:00:00.Zx",
                                 "2020-01-01T12:00:00+",
                                 "2020-01-01T12:00:00+24:00",
                                 "2020-01-01T12:00:00+02:60",
                                 "2020-01-01T12:00:00ZZ",
                                 "2020/01/01",
                                 "nan",
                                 "inf",
                                 "-inf",
                                 "1e400",
                                 "1e15",
                                 "-1e15",
                                 "0x10",
                                 "12345 6",
                                 "\xff"}) {
    // "2020" is a number of seconds.
    if (text == "2020") continue;
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(RenderTimestamp, WritesMillisecondsAndZ) {
  EXPECT_EQ(render_timestamp(noon + 7), "2020-01-01T12:00:00.007Z");
  EXPECT_EQ(render_timestamp(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(render_timestamp(-1), "1969-12-31T23:59:59.999Z");
}

TEST(RenderTimestamp, StaysWithinFourDigitsOfYear) {
  EXPECT_EQ(render_timestamp(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(render_timestamp(std::numeric_limits<std::int64_t>::min()), "0000-01-01T00:00:00.000Z");
}

TEST(RenderTimestamp, IsReadBackAsTheSameTime) {
  for (std::int64_t ms = -3'000'000'000'000; ms < 10'000'000'000'000; ms += 86'399'999'777) {
    EXPECT_EQ(parse_timestamp(render_timestamp(ms)), ms);
  }
}

}  // namespace
}  // namespace picket::relay

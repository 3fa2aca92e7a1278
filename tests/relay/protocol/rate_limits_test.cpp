#include "relay/protocol/rate_limits.h"

#include <gtest/gtest.h>

namespace picket::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time now = time_from_ms(784'111'777'000);  // 1994-11-06T08:49:37Z

using Categories = std::vector<DataCategory>;

TEST(ParseRateLimits, ReadsEveryPart) {
  const auto limits = parse_rate_limits("60:error;transaction:key:quota, 2700::organization", now);
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].categories, (Categories{DataCategory::error, DataCategory::transaction}));
  EXPECT_FALSE(limits[0].all);
  EXPECT_EQ(limits[0].scope, "key");
  EXPECT_EQ(limits[0].reason, "quota");
  EXPECT_EQ(limits[0].until, now + 60s);
  EXPECT_TRUE(limits[1].all);
  EXPECT_TRUE(limits[1].categories.empty());
  EXPECT_EQ(limits[1].scope, "organization");
  EXPECT_EQ(limits[1].until, now + 2700s);
}

TEST(ParseRateLimits, ReadsTheShortestForms) {
  for (const std::string header : {"60", "60:", "60::", "60:::", " 60 : : : : ", "60:::::::"}) {
    const auto limits = parse_rate_limits(header, now);
    ASSERT_EQ(limits.size(), 1U) << header;
    EXPECT_TRUE(limits[0].all);
    EXPECT_EQ(limits[0].scope, "");
  }
}

TEST(ParseRateLimits, RoundsFractionsUp) {
  EXPECT_EQ(parse_rate_limits("1.01:error", now).at(0).until, now + 2s);
  EXPECT_EQ(parse_rate_limits("0.0001:error", now).at(0).until, now + 1s);
  EXPECT_EQ(parse_rate_limits("0:error", now).at(0).until, now);
}

TEST(ParseRateLimits, IgnoresCategoriesItDoesNotKnow) {
  const auto limits = parse_rate_limits("60:warp_core;error; ;session:key, 60:warp_core:key", now);
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].categories, (Categories{DataCategory::error, DataCategory::session}));
  EXPECT_TRUE(limits[1].categories.empty());
  EXPECT_FALSE(limits[1].all);
  EXPECT_FALSE(covers(limits[1], DataCategory::error));
}

TEST(ParseRateLimits, PassesOverNamespaces) {
  const auto limits =
      parse_rate_limits("60:metric_bucket:organization:quota:custom;spans,30:error:key", now);
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].reason, "quota");
  EXPECT_EQ(limits[1].until, now + 30s);
}

TEST(ParseRateLimits, LeavesOutWhatDoesNotParse) {
  EXPECT_TRUE(parse_rate_limits("", now).empty());
  EXPECT_TRUE(parse_rate_limits(" , ,,", now).empty());
  EXPECT_TRUE(
      parse_rate_limits(":error:key, x:error, -5:error, nan:error, 12s:error, 1 2:error", now)
          .empty());
  EXPECT_EQ(parse_rate_limits("x:error, 7:error,", now).size(), 1U);
}

TEST(ParseRateLimits, BoundsWhatAMistakenUpstreamSays) {
  for (const std::string header : {"1e18", "99999999999999999999", "inf"}) {
    const auto limits = parse_rate_limits(header, now);
    ASSERT_EQ(limits.size(), 1U) << header;
    EXPECT_EQ(limits[0].until, now + std::chrono::days(366));
  }
}

TEST(RenderRateLimits, IsReadBackAsTheSameLimits) {
  const std::string header =
      "60:error;transaction:key:quota, 2700::organization, 5:log_item:project";
  EXPECT_EQ(render_rate_limits(parse_rate_limits(header, now), now), header);
}

TEST(RenderRateLimits, RoundsUpAndLeavesOutWhatIsOver) {
  RateLimit limit;
  limit.scope = "key";
  limit.until = now + 1001ms;
  EXPECT_EQ(render_rate_limits({limit}, now), "2::key");
  EXPECT_EQ(render_rate_limits({limit}, now + 1001ms), "");
  EXPECT_EQ(render_rate_limits({limit}, now + 1h), "");
}

TEST(RenderRateLimits, LeavesOutALimitOfNothingKnown) {
  EXPECT_EQ(render_rate_limits(parse_rate_limits("60:warp_core:key", now), now), "");
}

TEST(RenderRateLimits, WritesNothingThatWouldEndAWordOrTheHeader) {
  RateLimit limit;
  limit.scope = "ke\r\ny,: ;";
  limit.reason = "a:b\n";
  limit.until = now + 1s;
  EXPECT_EQ(render_rate_limits({limit}, now), "1::key:ab");
  limit.reason = "\x01,";
  EXPECT_EQ(render_rate_limits({limit}, now), "1::key");
}

TEST(Covers, TellsWhatALimitHolds) {
  const auto limits = parse_rate_limits("60::key, 60:error:key", now);
  EXPECT_TRUE(covers(limits.at(0), DataCategory::span));
  EXPECT_TRUE(covers(limits.at(1), DataCategory::error));
  EXPECT_FALSE(covers(limits.at(1), DataCategory::transaction));
}

TEST(ParseRetryAfter, ReadsSeconds) {
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after(" 0.5 ", now), 1s);
  EXPECT_EQ(parse_retry_after("0", now), 0s);
}

TEST(ParseRetryAfter, ReadsTheThreeFormsOfAnHttpDate) {
  for (const std::string date : {"Sun, 06 Nov 1994 08:51:37 GMT", "Sunday, 06-Nov-94 08:51:37 GMT",
                                 "Sun Nov  6 08:51:37 1994"}) {
    EXPECT_EQ(parse_retry_after(date, now), 120s) << date;
  }
}

TEST(ParseRetryAfter, TakesADateGoneByForNow) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), 0s);
}

TEST(ParseRetryAfter, BoundsADateFarAhead) {
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), std::chrono::days(366));
}

TEST(ParseRetryAfter, KnowsNothingOfTheRest) {
  for (const std::string header :
       {"", " ", "soon", "-1", "12 monkeys", "Sun, 31 Feb 1994 08:51:37 GMT", "06 Nov 08:51:37 GMT",
        "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 25:00:00 GMT", "Sun, 06 Nov 1994 8:51:37 GMT",
        "Sun, 99 Nov 1994 08:51:37 GMT"}) {
    EXPECT_FALSE(parse_retry_after(header, now)) << header;
  }
}

}  // namespace
}  // namespace picket::relay

#include "upstream/answer.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::upstream {
namespace {

constexpr Time now = time_from_ms(1'700'000'000'000);

Answer answer(unsigned status, std::string body = "{}", std::string type = "application/json") {
  Answer made;
  made.status = status;
  made.body = std::move(body);
  made.content_type = std::move(type);
  return made;
}

TEST(Judge, KnowsAnAcknowledgementFromALoginPage) {
  EXPECT_EQ(judge(answer(200)).verdict, Verdict::delivered);
  EXPECT_EQ(judge(answer(200, "", "")).verdict, Verdict::delivered);
  EXPECT_EQ(judge(answer(202, " \n{\"id\":\"x\"}", "text/plain")).verdict, Verdict::delivered);
  EXPECT_EQ(judge(answer(204, "", "")).verdict, Verdict::delivered);
  EXPECT_EQ(judge(answer(200, "<html>", "text/html")).verdict, Verdict::retry);
  EXPECT_EQ(judge(answer(200, "{ color: red }", "text/html")).verdict, Verdict::retry);
  EXPECT_EQ(judge(answer(200, "Welcome", "text/plain")).verdict, Verdict::retry);
}

TEST(Judge, SortsStatusesByWhatCanBeDone) {
  for (const unsigned status : {301U, 302U, 307U, 408U, 425U, 500U, 502U, 503U, 504U, 511U, 599U, 100U, 0U}) {
    EXPECT_EQ(judge(answer(status)).verdict, Verdict::retry) << status;
  }
  for (const unsigned status : {401U, 403U, 404U, 405U, 407U}) EXPECT_EQ(judge(answer(status)).verdict, Verdict::hold) << status;
  for (const unsigned status : {400U, 409U, 411U, 413U, 418U, 422U, 431U}) {
    EXPECT_EQ(judge(answer(status)).verdict, Verdict::refuse) << status;
  }
  EXPECT_EQ(judge(answer(429)).verdict, Verdict::wait);
  EXPECT_EQ(judge(answer(415)).verdict, Verdict::recode);
  Answer failed = answer(200);
  failed.failure = "connection reset";
  EXPECT_EQ(judge(failed).verdict, Verdict::retry);
}

TEST(AnnouncedLimits, PreferTheHeaderOverRetryAfter) {
  Answer both = answer(429);
  both.retry_after = "10";
  both.rate_limits = "60:transaction:key, 30::organization";
  const auto limits = announced_limits(both, now);
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].until, now + std::chrono::seconds(60));
}

TEST(AnnouncedLimits, TakeRetryAfterForAllOfTheKeyAndAtMostADay) {
  Answer bare = answer(200);
  bare.retry_after = "99999999999";
  const auto limits = announced_limits(bare, now);
  ASSERT_EQ(limits.size(), 1U);
  EXPECT_TRUE(limits[0].all);
  EXPECT_LE(limits[0].until, now + std::chrono::hours(24));
  Answer down = answer(503);
  down.retry_after = "60";
  EXPECT_TRUE(announced_limits(down, now).empty());
  Answer odd = answer(429);
  odd.retry_after = "soon";
  EXPECT_TRUE(announced_limits(odd, now).empty());
}

TEST(Printable, KeepsValidTextAndReplacesTheRest) {
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80", 100), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80");
  EXPECT_EQ(printable("a\r\nb\x7f", 100), "a  b ");
  EXPECT_EQ(printable("\xff\xc0\x80\xed\xa0\x80\xf5", 100), std::string(7, '?'));
  EXPECT_EQ(printable("\xc3\xbc\xc3\xbc", 3), "\xc3\xbc?");
  EXPECT_EQ(printable("\xe2\x82", 100), "??");
  EXPECT_EQ(printable("", 100), "");
}

}  // namespace
}  // namespace picket::upstream

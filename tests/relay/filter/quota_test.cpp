#include "relay/filter/quota.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace picket::filter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Time at(std::int64_t ms) {
  return time_from_ms(1'700'000'000'000 + ms);
}

TEST(SlidingWindow, ForgetsAfterItsWindow) {
  SlidingWindow window(seconds(10));
  window.add(at(0), 5);
  EXPECT_EQ(window.used(at(0)), 5U);
  EXPECT_EQ(window.used(at(9'999)), 5U);
  EXPECT_EQ(window.used(at(10'999)), 5U) << "the tenth it fell in counts whole";
  EXPECT_EQ(window.used(at(11'000)), 0U);
}

TEST(SlidingWindow, SaysWhenThereIsRoomAgain) {
  SlidingWindow window(seconds(10));
  EXPECT_EQ(window.wait(at(0), 1, 3), Duration(0));
  window.add(at(0), 2);
  window.add(at(5'000), 1);
  const auto wait = window.wait(at(6'000), 1, 3);
  EXPECT_EQ(wait, milliseconds(5'000));
  EXPECT_EQ(window.wait(at(6'000), 4, 3), milliseconds(11'000)) << "never fits";
  EXPECT_EQ(window.wait(at(6'000) + wait, 1, 3), Duration(0));
  EXPECT_EQ(window.wait(at(6'000), 3, 3), milliseconds(10'000));
  EXPECT_GT(window.wait(at(6'000), 1, 0), Duration(0));
}

TEST(SlidingWindow, SurvivesAClockThatIsSetBackAndOneThatLeaps) {
  SlidingWindow window(seconds(60));
  window.add(at(0), 1);
  window.add(at(-3'600'000), 1);
  EXPECT_EQ(window.used(at(0)), 2U);
  EXPECT_EQ(window.used(at(86'400'000)), 0U);
}

TEST(SlidingWindow, DoesNotOverflow) {
  SlidingWindow window(seconds(1));
  for (int i = 0; i < 100; ++i)
    window.add(at(i * 20), ~std::uint64_t{0});
  EXPECT_GT(window.used(at(1'000)), std::uint64_t{1} << 50);
  EXPECT_GT(window.wait(at(1'000), 1, 10), Duration(0));
}

TEST(SlidingWindow, NeverLetsMoreThanTheLimitIntoAnyWindow) {
  std::mt19937 random(7);
  SlidingWindow window(seconds(10));
  std::deque<std::int64_t> let_in;
  std::int64_t now = 0;
  constexpr std::uint64_t limit = 20;
  std::size_t total = 0;
  for (int i = 0; i < 20'000; ++i) {
    now += static_cast<std::int64_t>(random() % 400);
    if (window.wait(at(now), 1, limit) != Duration(0)) continue;
    window.add(at(now), 1);
    let_in.push_back(now);
    ++total;
    while (let_in.front() <= now - 10'000)
      let_in.pop_front();
    ASSERT_LE(let_in.size(), limit) << "at " << now;
  }
  EXPECT_GT(total, static_cast<std::size_t>(now / 11'000) * limit * 9 / 10) << "nor much less";
}

TEST(Quotas, AreReadFromJson) {
  const auto quotas = parse_quotas(
      R"([{"id":"e","categories":["error","default"],"limit":100,"window":3600},
          {"id":"all","limit":0,"scope":"organization"},
          {"id":"k","categories":[],"limit":5,"window":1,"scope":"key","reasonCode":"mine"}])");
  ASSERT_TRUE(quotas) << quotas.error().detail;
  ASSERT_EQ(quotas->size(), 3U);
  EXPECT_EQ((*quotas)[0].reason, "project_quota");
  EXPECT_TRUE((*quotas)[0].covers(relay::DataCategory::error));
  EXPECT_FALSE((*quotas)[0].covers(relay::DataCategory::span));
  EXPECT_EQ((*quotas)[1].reason, "org_quota");
  EXPECT_TRUE((*quotas)[1].covers(relay::DataCategory::span));
  EXPECT_EQ((*quotas)[2].scope, Scope::key);
  EXPECT_EQ((*quotas)[2].reason, "mine");
}

TEST(Quotas, SayWhatIsWrong) {
  const auto wrong = [](std::string_view json) {
    const auto quotas = parse_quotas(json);
    return quotas ? std::string() : quotas.error().detail;
  };
  EXPECT_EQ(wrong("{}"), "quotas are not a JSON list");
  EXPECT_EQ(wrong("[1]"), "quota 1: not an object");
  EXPECT_NE(wrong(R"([{"limit":1,"window":1}])").find("id must be"), std::string::npos);
  EXPECT_EQ(wrong(R"([{"id":"a","limit":-1,"window":1}])"),
            "quota 1: limit must be a whole number, 0 or more");
  EXPECT_EQ(wrong(R"([{"id":"a","limit":1}])"), "quota 1: window is missing");
  EXPECT_NE(wrong(R"([{"id":"a","limit":1,"window":0}])").find("window must be"), std::string::npos);
  EXPECT_EQ(wrong(R"([{"id":"a","limit":1,"window":1,"categories":["errors"]}])"),
            "quota 1: \"errors\" is no data category");
  EXPECT_EQ(wrong(R"([{"id":"a","limit":1,"window":1},{"id":"a","limit":1,"window":1}])"),
            "quota 2: the id is given twice");
  EXPECT_NE(wrong(R"([{"id":"a","limit":1,"window":1,"scope":"team"}])").find("scope"),
            std::string::npos);
}

}  // namespace
}  // namespace picket::filter

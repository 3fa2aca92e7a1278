#include "api/digest/title.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::digest {
namespace {

Title named(std::string_view json) {
  const auto event = parse_event(json);
  EXPECT_TRUE(event) << json;
  return title_of(*event);
}

TEST(Title, IsTypeAndValueOfTheLastException) {
  const auto title = named(
      R"({"exception":[{"type":"Cause","value":"c"},{"type":"ValueError","value":"bad input"}]})");
  EXPECT_EQ(title.title, "ValueError: bad input");
  EXPECT_EQ(title.metadata_json, R"({"value":"bad input","type":"ValueError"})");
}

TEST(Title, ShowsTheFirstLineOfAValueUpToAHundredCharacters) {
  EXPECT_EQ(named(R"({"exception":[{"type":"A","value":"one\ntwo"}]})").title, "A: one");
  const auto title =
      named("{\"exception\":[{\"type\":\"A\",\"value\":\"" + std::string(150, 'x') + "\"}]}").title;
  EXPECT_EQ(title, "A: " + std::string(97, 'x') + "...");
}

TEST(Title, MakesDoWithHalfAnException) {
  EXPECT_EQ(named(R"({"exception":[{"type":"A"}]})").title, "A");
  EXPECT_EQ(named(R"({"exception":[{"value":"only value"}]})").title, "only value");
  EXPECT_EQ(named(R"({"exception":[{"stacktrace":{"frames":[{"function":"crash"}]}}]})").title,
            "crash");
  EXPECT_EQ(named(R"({"exception":[{"stacktrace":{"frames":[{"lineno":1}]}}]})").title,
            "<unknown>");
}

TEST(Title, IsTheFirstLineOfAMessage) {
  EXPECT_EQ(named(R"({"logentry":{"message":"a %s","formatted":"a b\nc"}})").title, "a b");
  EXPECT_EQ(named("{\"message\":\"" + std::string(300, 'x') + "\"}").title,
            std::string(253, 'x') + "...");
  EXPECT_EQ(named("{}").title, "<unlabeled event>");
  EXPECT_EQ(named(R"({"message":"  \n "})").title, "<unlabeled event>");
  EXPECT_EQ(named(R"({"message":"say \"hi\""})").metadata_json, R"({"title":"say \"hi\""})");
}

TEST(Title, OfASecurityReportSaysWhatWasBlocked) {
  const auto title =
      named(R"({"csp":{"effective_directive":"img-src","blocked_uri":"https://x.example/a"}})");
  EXPECT_EQ(title.title, "Blocked 'image' from 'x.example'");
}

TEST(Title, MetadataNamesTheCrashingFrame) {
  const auto title = named(R"({"exception":[{"type":"A","value":"v","stacktrace":{"frames":[
    {"function":"mine","filename":"app.py","in_app":true},{"function":"lib","filename":"lib.py"}]}}]})");
  EXPECT_EQ(title.metadata_json,
            R"({"value":"v","type":"A","filename":"app.py","function":"mine"})");
  EXPECT_EQ(title.location, "app.py");
}

TEST(Culprit, IsTheTransactionWhenThereIsOne) {
  EXPECT_EQ(
      named(
          R"({"transaction":"/pay","exception":[{"type":"A","stacktrace":{"frames":[{"module":"m","function":"f"}]}}]})")
          .culprit,
      "/pay");
  EXPECT_EQ(named(R"({"transaction":"/pay","culprit":"said"})").culprit, "said");
}

TEST(Culprit, FollowsThePlatformsWayOfNamingFrames) {
  const auto of = [](std::string_view platform) {
    return named(
               "{\"platform\":\"" + std::string(platform) +
               R"(","exception":[{"type":"A","stacktrace":{"frames":[{"module":"shop.pay","filename":"pay.x","function":"charge","in_app":true}]}}]})")
        .culprit;
  };
  EXPECT_EQ(of("python"), "shop.pay in charge");
  EXPECT_EQ(of("javascript"), "charge(shop.pay)");
  EXPECT_EQ(of("node"), "charge(shop.pay)");
  EXPECT_EQ(of("native"), "charge");
  EXPECT_EQ(of("cocoa"), "charge");
}

TEST(Culprit, PrefersTheNewestInAppFrame) {
  const auto of = [](std::string_view frames) {
    return named("{\"exception\":[{\"type\":\"A\",\"stacktrace\":{\"frames\":[" +
                 std::string(frames) + "]}}]}")
        .culprit;
  };
  EXPECT_EQ(
      of(R"({"module":"old","function":"a","in_app":true},{"module":"new","function":"b","in_app":true},{"module":"lib","function":"c"})"),
      "new in b");
  EXPECT_EQ(of(R"({"module":"x","function":"a"},{"module":"y","function":"b"})"), "y in b");
  EXPECT_EQ(of(R"({"filename":"f.py"})"), "f.py in ?");
  EXPECT_EQ(of("{}"), "");
}

TEST(Culprit, FallsBackToTheUrlAndIsEmptyForSyntheticCrashes) {
  EXPECT_EQ(named(R"({"message":"m","request":{"url":"https://x/"}})").culprit, "https://x/");
  EXPECT_EQ(
      named(
          R"({"exception":[{"type":"S","mechanism":{"synthetic":true},"stacktrace":{"frames":[{"function":"f"}]}}]})")
          .culprit,
      "");
}

}  // namespace
}  // namespace picket::digest

#include "support/upstream_script.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace picket::testing {
namespace {

std::vector<unsigned> statuses(std::string_view script, int count) {
  const auto rule = parse_upstream_script(script);
  std::vector<unsigned> all;
  for (int i = 0; rule && i < count; ++i) all.push_back((*rule)({}).status);
  return all;
}

TEST(UpstreamScript, CountsSteps) {
  EXPECT_EQ(statuses("503 x 2 then 429 retry-after=5 x 1 then 400", 5), (std::vector<unsigned>{503, 503, 429, 400, 400}));
  EXPECT_EQ(statuses("503 x 1", 3), (std::vector<unsigned>{503, 200, 200}));
  EXPECT_EQ(statuses("every 3: 500", 6), (std::vector<unsigned>{200, 200, 500, 200, 200, 500}));
}

TEST(UpstreamScript, TimesSteps) {
  const auto rule = parse_upstream_script("500 for 50ms then 200");
  ASSERT_TRUE(rule);
  EXPECT_EQ((*rule)({}).status, 500U);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ((*rule)({}).status, 200U);
}

TEST(UpstreamScript, KnowsOptionsAndMishaps) {
  const auto rule = parse_upstream_script("429 retry-after=5 limits=60:error:key delay=10ms x 1 then reset x 1 then html");
  ASSERT_TRUE(rule);
  const Reply limited = (*rule)({});
  EXPECT_EQ(limited.headers.size(), 2U);
  EXPECT_EQ(limited.delay, std::chrono::milliseconds(10));
  EXPECT_EQ((*rule)({}).way, Reply::Way::reset);
  EXPECT_NE((*rule)({}).content_type.find("html"), std::string::npos);
}

TEST(UpstreamScript, RefusesWhatItDoesNotKnow) {
  for (const char* const bad : {"", "then", "200 for", "200 then", "teapot", "999", "every 0: 500", "200 x many"}) {
    EXPECT_FALSE(parse_upstream_script(bad)) << bad;
  }
}

}  // namespace
}  // namespace picket::testing

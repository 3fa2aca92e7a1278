#include "relay/ingest/replies.h"

#include <gtest/gtest.h>

namespace picket::ingest {
namespace {

TEST(ErrorReply, SaysWhatAndWhy) {
  const auto response = error_reply(400, "invalid envelope", "no header");
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.body, R"({"detail":"invalid envelope","causes":["no header"]})");
  EXPECT_EQ(response.headers.find("X-Sentry-Error"), "invalid envelope: no header");
}

TEST(ErrorReply, LeavesOutACauseItDoesNotKnow) {
  EXPECT_EQ(error_reply(404, "nothing here").body, R"({"detail":"nothing here"})");
}

TEST(ErrorReply, LetsNoHostileDetailIntoTheHeaderOrOutOfTheString) {
  const auto response = error_reply(400, "bad\r\nSet-Cookie: a=b", "\"},{\\\x01\xff");
  const auto header = response.headers.find("X-Sentry-Error");
  EXPECT_EQ(header.find_first_of("\r\n"), std::string_view::npos);
  EXPECT_EQ(response.body,
            R"({"detail":"bad\u000d\u000aSet-Cookie: a=b","causes":["\"},{\\\u0001?"]})");
}

TEST(ErrorReply, CutsALongDetailInTheHeader) {
  EXPECT_LE(error_reply(400, std::string(5'000, 'x'), std::string(5'000, 'y'))
                .headers.find("X-Sentry-Error")
                .size(),
            500U);
}

TEST(FullReply, SilencesSdksForAMinute) {
  const auto response = full_reply();
  EXPECT_EQ(response.status, 429U);
  EXPECT_EQ(response.headers.find("Retry-After"), "60");
  EXPECT_EQ(response.headers.find("X-Sentry-Rate-Limits"), "60::organization:disk_full");
}

TEST(HealthReply, IsAStatusAndAWord) {
  EXPECT_EQ(health_reply(true).status, 200U);
  EXPECT_EQ(health_reply(false).status, 503U);
  EXPECT_EQ(health_reply(false).body, R"({"is_healthy":false})");
}

}  // namespace
}  // namespace picket::ingest

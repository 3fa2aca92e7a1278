#include "relay/ingest/item_limits.h"

#include "relay/ingest/desk.h"

namespace picket::ingest {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::string exceeded(const std::string& items, const IngestConfig& config = {}) {
  const auto bytes = "{}\n" + items;
  const auto envelope = relay::parse_envelope(bytes);
  EXPECT_TRUE(envelope);
  return std::string(find_exceeded_limit(*envelope, config));
}

std::string of_size(std::string_view type, std::size_t bytes, std::string_view more = {}) {
  return item(type, std::string(bytes, 'x'), more);
}

TEST(ItemLimits, LetTheLargestAllowedPassAndOneByteMoreNot) {
  struct Case {
    const char* type;
    std::size_t most;
  };
  for (const auto& [type, most] :
       {Case{"event", mib}, Case{"transaction", mib}, Case{"feedback", mib}, Case{"security", mib},
        Case{"raw_security", mib}, Case{"replay_event", mib}, Case{"nel", mib},
        Case{"form_data", mib}, Case{"client_report", 4 * kib}, Case{"check_in", 100 * kib},
        Case{"log", mib}, Case{"trace_metric", mib}, Case{"span", 10 * mib}, Case{"statsd", mib},
        Case{"metric_buckets", mib}, Case{"replay_recording", 10 * mib},
        Case{"replay_video", 10 * mib}}) {
    EXPECT_EQ(exceeded(of_size(type, most)), "") << type;
    EXPECT_EQ(exceeded(of_size(type, most + 1)), type);
  }
}

TEST(ItemLimits, FollowTheConfiguration) {
  IngestConfig config;
  config.max_event_bytes = 10;
  config.max_attachment_bytes = 20;
  config.max_profile_bytes = 30;
  config.max_replay_bytes = 40;
  EXPECT_EQ(exceeded(of_size("event", 11), config), "event");
  EXPECT_EQ(exceeded(of_size("attachment", 21), config), "attachment");
  EXPECT_EQ(exceeded(of_size("unreal_report", 21), config), "unreal_report");
  EXPECT_EQ(exceeded(of_size("profile", 31), config), "profile");
  EXPECT_EQ(exceeded(of_size("profile_chunk", 31), config), "profile_chunk");
  EXPECT_EQ(exceeded(of_size("replay_video", 41), config), "replay_video");
  EXPECT_EQ(exceeded(of_size("profile", 30) + of_size("profile", 30), config), "");
}

TEST(ItemLimits, SumUpEventLikeItems) {
  EXPECT_EQ(exceeded(of_size("event", mib / 2) + of_size("feedback", mib / 2)), "");
  EXPECT_EQ(exceeded(of_size("event", mib / 2) + of_size("feedback", mib / 2 + 1)), "feedback");
}

TEST(ItemLimits, SumUpClientReports) {
  EXPECT_EQ(exceeded(of_size("client_report", 2 * kib) + of_size("client_report", 2 * kib + 1)),
            "client_report");
}

TEST(ItemLimits, CountSessions) {
  std::string sessions;
  for (int i = 0; i < 100; ++i)
    sessions += item("session", "{}");
  EXPECT_EQ(exceeded(sessions), "");
  EXPECT_EQ(exceeded(sessions + item("sessions", "{}")), "sessions");
}

TEST(ItemLimits, MeasureContainersByTheirAverageEntryAndAsAWhole) {
  const std::string container =
      R"(,"content_type":"application/vnd.sentry.items.log+json","item_count":)";
  EXPECT_EQ(exceeded(of_size("log", 3 * mib, container + "4")), "");
  EXPECT_EQ(exceeded(of_size("log", 3 * mib, container + "2")), "log");
  EXPECT_EQ(exceeded(of_size("log", 12 * mib + 1, container + "100")), "log");
  EXPECT_EQ(exceeded(of_size("log", 12 * mib + 1, container + "4294967295")), "log");
}

TEST(ItemLimits, LeaveUnknownTypesToTheEnvelopesLimit) {
  EXPECT_EQ(exceeded(of_size("from_the_future", 20 * mib)), "");
}

TEST(CountItems, SumsByCategoryAndCountsEntriesOfContainers) {
  const auto bytes =
      "{}\n" + item("event", "{}") + item("attachment", "a") + item("attachment", "b") +
      item("log", R"({"items":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]})",
           R"(,"content_type":"application/vnd.sentry.items.log+json","item_count":17)") +
      item("new_thing", "x") + item("client_report", "{}");
  const auto envelope = relay::parse_envelope(bytes);
  ASSERT_TRUE(envelope);

  const auto counts = count_items(*envelope);

  ASSERT_EQ(counts.size(), 5U);
  EXPECT_EQ(counts[0].category, relay::DataCategory::error);
  EXPECT_EQ(counts[0].quantity, 1U);
  EXPECT_EQ(counts[1].category, relay::DataCategory::attachment);
  EXPECT_EQ(counts[1].quantity, 2U);
  EXPECT_EQ(counts[2].category, relay::DataCategory::log_item);
  EXPECT_EQ(counts[2].quantity, 17U);
  EXPECT_EQ(counts[3].category, relay::DataCategory::unknown);
  EXPECT_EQ(counts[4].category, relay::DataCategory::client_report);
}

}  // namespace
}  // namespace picket::ingest

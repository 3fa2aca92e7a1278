#include "bench/load/body_pool.h"

#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace picket::load {
namespace {

std::string sent(const GzipBody& body) {
  return body.front + std::string(body.tail) +
         std::string(body.trailer.data(), body.trailer.size());
}

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const auto start = text.find(before) + before.size();
  return text.substr(start, text.find(after, start) - start);
}

TEST(BodyPool, MakesWholeGzipMembersOfOneEventEach) {
  PoolOptions options;
  options.bodies = 50;
  options.issues = 40;
  BodyPool pool(options);
  GzipBody body;
  std::set<std::string> ids;
  std::set<std::string> types;

  for (int i = 0; i < 500; ++i) {
    pool.next(1'700'000'000'123, body);
    const auto bytes = relay::decode(sent(body), relay::Coding::gzip, 1 << 20);
    ASSERT_TRUE(bytes) << bytes.error().detail;
    const auto envelope = relay::parse_envelope(*bytes);
    ASSERT_TRUE(envelope) << envelope.error().detail;
    ASSERT_EQ(envelope->items.size(), 1U);
    const auto payload = envelope->items[0].payload;
    EXPECT_TRUE(payload.starts_with("{") && payload.ends_with("}"));
    const auto id = relay::render_event_id(*envelope->fields.event_id);
    EXPECT_EQ(between(payload, R"("event_id":")", "\""), id);
    EXPECT_EQ(envelope->fields.sent_at_ms, 1'700'000'000'123);
    ids.insert(id);
    types.emplace(between(payload, R"([{"type":")", "\""));
  }

  EXPECT_EQ(ids.size(), 500U);
  EXPECT_EQ(types.size(), 40U);
}

TEST(BodyPool, KeepsTheFramesOfAnIssue) {
  PoolOptions options;
  options.bodies = 30;
  options.issues = 3;
  BodyPool pool(options);
  GzipBody body;
  std::set<std::string> issues;

  for (int i = 0; i < 200; ++i) {
    pool.next(1'700'000'000'123, body);
    const auto bytes = *relay::decode(sent(body), relay::Coding::gzip, 1 << 20);
    std::string signature(between(bytes, R"([{"type":")", "\""));
    for (std::size_t at = bytes.find(R"("function":")"); at != std::string::npos;
         at = bytes.find(R"("function":")", at + 1)) {
      signature += bytes.substr(at, bytes.find(',', at) - at);
    }
    issues.insert(signature);
  }

  EXPECT_EQ(issues.size(), 3U);
}

TEST(BodyPool, HasAboutTheSizeAskedFor) {
  for (const std::size_t wanted : {3 * 1024, 20 * 1024}) {
    PoolOptions options;
    options.bodies = 20;
    options.gzip_bytes = wanted;
    const BodyPool pool(options);
    EXPECT_NEAR(pool.mean_gzip_bytes(), static_cast<double>(wanted),
                static_cast<double>(wanted) * 0.12);
    EXPECT_GT(pool.mean_json_bytes(), 2 * pool.mean_gzip_bytes());
  }
}

}  // namespace
}  // namespace picket::load

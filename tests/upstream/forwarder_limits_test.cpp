#include "upstream/deferred.h"
#include "forwarder_fixture.h"

#include <atomic>

namespace picket::upstream {
namespace {

// Answers 429 with `limits` to every envelope with an item of `type`, 200 to the rest.
FakeUpstream::Rule limiting(const std::string& type, const std::string& limits, unsigned status = 429) {
  return [=](const Received& received) {
    if (received.envelope.find("\"type\":\"" + type + "\"") == std::string::npos) return Reply{};
    return Reply{.status = status, .headers = {{"X-Sentry-Rate-Limits", limits}}};
  };
}

TEST_F(ForwarderTest, HoldsOnlyTheLimitedCategoryBack) {
  upstream.answer(limiting("transaction", "60:transaction:key"));
  for (int i = 0; i < 10; ++i) {
    post({.types = {"transaction"}});
    post({.types = {"event"}});
  }
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(10));
  ASSERT_TRUE(soon([&] { return cursor() == 21 && row().deferred_size() == 10; }));
  EXPECT_EQ(status().depth, 10U);
  const auto refused = upstream.requests() - 10;
  EXPECT_LE(refused, 4U) << "limited envelopes were sent again and again";

  upstream.answer_with({});
  clock.advance(61s);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 20U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 10}, {{2, 1}, 10}}));
}

TEST_F(ForwarderTest, HonoursLimitsOnA200) {
  upstream.answer([](const Received&) {
    return Reply{.headers = {{"X-Sentry-Rate-Limits", "30:error:organization"}}};
  });
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  ASSERT_TRUE(all_written());
  post();
  post({.types = {"session"}});
  // Also the second answer names the limit: before the clock moves it is read.
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 1 && row().forwarded() == 2; }));
  EXPECT_EQ(upstream.requests(), 2U);
  EXPECT_EQ(status().state, DestinationState::limited);
  clock.advance(31s);
  EXPECT_TRUE(upstream.wait_for_accepted(3));
}

class ForwarderLimitsOn : public ForwarderTest, public ::testing::WithParamInterface<unsigned> {};

// Taken, refused, to be tried again, or from a server that fails: what it says of limits counts.
TEST_P(ForwarderLimitsOn, AnyAnswerIsHonoured) {
  std::atomic<bool> first{true};
  upstream.answer([&](const Received&) {
    if (!first.exchange(false)) return Reply{};
    return Reply{.status = GetParam(), .headers = {{"X-Sentry-Rate-Limits", "600:transaction:organization"}}};
  });
  post();
  start();
  ASSERT_TRUE(soon([&] { return row().limits_size() == 1 && row().forwarded() + row().quarantined() == 1; }));
  post({.types = {"transaction"}});
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 1; }));
  const auto requests = upstream.requests();
  for (const auto& received : upstream.received()) EXPECT_EQ(received.envelope.find("\"type\":\"transaction\""), std::string::npos);
  clock.advance(601s);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.requests(), requests + 1);
}

INSTANTIATE_TEST_SUITE_P(Statuses, ForwarderLimitsOn, ::testing::Values(200U, 400U, 413U, 429U, 500U, 503U));

TEST_F(ForwarderTest, KeepsAPersistedLimitOverARestart) {
  upstream.answer(limiting("transaction", "600:transaction:key"));
  post({.types = {"transaction"}});
  start();
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 1 && row().limits_size() == 1; }));
  restart();
  post({.types = {"transaction"}});
  post();
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 2 && cursor() == 4; }));
  EXPECT_EQ(upstream.accepted(), 1U);
  EXPECT_EQ(upstream.requests(), 2U);
  upstream.answer_with({});
  clock.advance(601s);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 3U);
}

TEST_F(ForwarderTest, LetsTheEventOfAMixedEnvelopeDecide) {
  upstream.answer(limiting("transaction", "60:attachment;session:key", 200));
  post({.types = {"transaction"}});
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  post({.types = {"event", "attachment"}});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  post({.types = {"attachment"}});
  post({.types = {"session", "client_report"}});
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 2; }));
  EXPECT_EQ(upstream.requests(), 2U);
}

TEST_F(ForwarderTest, WaitsAltogetherWhenEverythingIsLimited) {
  upstream.answer_with({.status = 429, .headers = {{"Retry-After", "120"}}});
  post_many(50);
  start();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::limited; }));
  std::this_thread::sleep_for(100ms);
  EXPECT_LE(upstream.requests(), 2U);
  upstream.answer_with({});
  clock.advance(121s);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 50U);
}

TEST_F(ForwarderTest, ReadsARetryAfterThatIsADate) {
  // The fake clock stands at Tue, 14 Nov 2023 22:13:20 GMT.
  upstream.answer_with({.status = 429, .headers = {{"Retry-After", "Tue, 14 Nov 2023 22:23:20 GMT"}}});
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  ASSERT_TRUE(soon([&] { return row().limits_size() == 1; }));
  EXPECT_EQ(row().limits(0).until_ms(), to_ms(clock.now() + 600s));
  upstream.answer_with({});
  clock.advance(599s);
  std::this_thread::sleep_for(60ms);
  EXPECT_EQ(upstream.requests(), 1U);
  clock.advance(2s);
  EXPECT_TRUE(upstream.wait_for_accepted(1));
}

TEST_F(ForwarderTest, LimitsOnlyTheKeyThatTheLimitIsFor) {
  upstream.answer([](const Received& received) {
    if (received.project != 5) return Reply{};
    return Reply{.status = 429, .headers = {{"X-Sentry-Rate-Limits", "60::project"}}};
  });
  auto config = destination(upstream);
  config.dsn.clear();
  config.url = upstream.url();
  for (int i = 0; i < 5; ++i) {
    post({.project = 5});
    post({.project = 6});
  }
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(5));
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 5; }));
}

TEST_F(ForwarderTest, PausesTheServerThatAsksForItWithA503) {
  upstream.answer_with({.status = 503, .headers = {{"Retry-After", "1"}}});
  post();
  const auto began = std::chrono::steady_clock::now();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  upstream.answer_with({});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 800ms);
}

TEST_F(ForwarderTest, StopsItsCursorWhenTheDeferredListIsFull) {
  upstream.answer(limiting("transaction", "60:transaction:key"));
  for (std::size_t i = 0; i < Deferred::capacity + 500; ++i) post({.types = {"transaction"}});
  post();
  start();
  ASSERT_TRUE(soon([&] { return row().deferred_size() > 3'000; }, 120s)) << row().deferred_size();
  std::this_thread::sleep_for(200ms);
  EXPECT_LE(row().deferred_size(), static_cast<int>(Deferred::capacity));
  EXPECT_LT(cursor(), Deferred::capacity + 10);
  EXPECT_EQ(upstream.accepted(), 0U);
  upstream.answer_with({});
  clock.advance(61s);
  ASSERT_TRUE(soon([&] { return row().forwarded() == Deferred::capacity + 501; }, 120s)) << row().forwarded();
  EXPECT_TRUE(all_written());
}

TEST_F(ForwarderTest, IsNotHeldByALimitThatAClockSetBackWouldStretch) {
  upstream.answer(limiting("transaction", "60:transaction:key"));
  post({.types = {"transaction"}});
  start();
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 1; }));
  upstream.answer_with({});
  clock.set(clock.now() - 24h * 365);
  EXPECT_TRUE(upstream.wait_for_accepted(1));
}

}  // namespace
}  // namespace picket::upstream

// Destinations that are to have a part of what arrives: what goes, and where the rest is counted.
#include "forwarder_fixture.h"

namespace picket::upstream {
namespace {

constexpr int error = 1;
constexpr int attachment = 4;
constexpr int session = 5;
constexpr int forwarded = 1;
constexpr int quarantined = 2;
constexpr int not_routed = 10;
using Sums = std::map<std::pair<int, int>, std::uint64_t>;

class ForwarderRoutingTest : public ForwarderTest {
 protected:
  DestinationConfig routed(RoutingConfig routing, const std::string& name = "hub") {
    auto config = destination(upstream, name);
    config.routing = std::move(routing);
    return config;
  }
};

TEST_F(ForwarderRoutingTest, SendsTheWantedItemsAndCountsTheOthersAsNotRouted) {
  post({.types = {"event", "attachment", "session"}});
  post({.types = {"session"}, .described = true});
  post({.types = {"event"}, .described = true});
  start({routed({.categories = {.include = {"error"}}})});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted_ids(), (std::vector{event_id(1), event_id(3)}));
  const auto body = upstream.received()[0].envelope;
  EXPECT_NE(body.find("\"attachment\""), std::string::npos);
  EXPECT_EQ(body.find("\"session\""), std::string::npos);
  EXPECT_EQ(items(), (Sums{{{error, forwarded}, 2}, {{attachment, forwarded}, 1}, {{session, not_routed}, 2}}));
  EXPECT_EQ(row().forwarded(), 2U);
  EXPECT_EQ(row().not_routed(), 1U);
  EXPECT_EQ(status().not_routed, 1U);
}

TEST_F(ForwarderRoutingTest, WhatWasDroppedForWantOfRoomIsLeftOutWhereItsCategorySaysSoAndElseExpires) {
  auto dropped = make_record({.id = event_id(7), .types = {"transaction"}, .described = true}, clock.now());
  dropped.flags = buffer::record_dropped;
  dropped.body = std::string();
  journal.append(dropped);
  FakeUpstream other;
  auto inside = destination(other, "inside");
  inside.routing = {.environments = {.include = {"production"}}};
  start({routed({.categories = {.include = {"error"}}}), inside});
  ASSERT_TRUE(all_written());
  ASSERT_TRUE(all_written("inside"));
  constexpr int transaction = 2;
  constexpr int expired = 3;
  EXPECT_EQ(items(), (Sums{{{transaction, not_routed}, 1}}));
  EXPECT_EQ(items("inside"), (Sums{{{transaction, expired}, 1}}));
  EXPECT_EQ(row("inside").quarantined(), 0U);
}

TEST_F(ForwarderRoutingTest, SplitsProjectsBetweenDestinationsWithoutALoss) {
  FakeUpstream other;
  for (std::uint64_t i = 0; i < 40; ++i) post({.project = 1 + i % 2, .described = true});
  auto rest = destination(other, "rest");
  rest.routing = {.projects = {.exclude = {"1"}}};
  start({routed({.projects = {.include = {"1"}}}), rest});
  ASSERT_TRUE(upstream.wait_for_accepted(20));
  ASSERT_TRUE(other.wait_for_accepted(20));
  ASSERT_TRUE(all_written());
  ASSERT_TRUE(all_written("rest"));
  EXPECT_EQ(upstream.requests(), 20U);
  EXPECT_EQ(other.requests(), 20U);
  for (const char* const name : {"hub", "rest"}) {
    EXPECT_EQ(row(name).forwarded() + row(name).not_routed(), 40U);
    EXPECT_EQ(items(name), (Sums{{{error, forwarded}, 20}, {{error, not_routed}, 20}}));
  }
}

TEST_F(ForwarderRoutingTest, KeepsTheSumsWhenAPartIsRefusedAndTriedAgainUnderOtherRules) {
  upstream.answer_with({.status = 413});
  post({.types = {"event", "session"}});
  start({routed({.categories = {.include = {"error"}}})});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(items(), (Sums{{{error, quarantined}, 1}, {{session, not_routed}, 1}}));

  forwarder.reset();
  upstream.answer_with({});
  auto rows = quarantine();
  ASSERT_EQ(rows.size(), 1U);
  rows[0].set_retry_requested(true);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, buffer::Table::quarantine, quarantine_key("hub", rows[0].sequence()), rows[0]);
  }));
  start();  // everything goes now
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  ASSERT_TRUE(soon([&] { return row().forwarded() == 1; }));
  EXPECT_EQ(items(), (Sums{{{error, forwarded}, 1}, {{error, quarantined}, 0}, {{session, forwarded}, 1}, {{session, not_routed}, 0}}));
  EXPECT_EQ(row().quarantined(), 0U);
}

TEST_F(ForwarderRoutingTest, PassesWhatIsNotForItWhileNothingElseIsThere) {
  // More than may be sent and not yet recorded.
  for (int i = 0; i < 5'000; ++i) post({.types = {"session"}, .described = true});
  start({routed({.categories = {.include = {"error"}}})});
  ASSERT_TRUE(soon([&] { return cursor() == journal.use().next; }, 3min)) << describe();
  EXPECT_EQ(upstream.requests(), 0U);
  EXPECT_EQ(row().not_routed(), 5'000U);
}

TEST_F(ForwarderRoutingTest, ALimitOnWhatIsLeftOutDelaysNothing) {
  upstream.answer([](const Received&) {
    return Reply{.headers = {{"X-Sentry-Rate-Limits", "600:session:key"}}};
  });
  start({routed({.categories = {.exclude = {"session"}}})});
  post();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  post({.types = {"check_in", "session"}});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
}

TEST_F(ForwarderRoutingTest, QuarantinesWhatItCannotLookInto) {
  auto record = make_record({.id = event_id(1), .described = true}, clock.now());
  record.body = std::string("no gzip at all");
  journal.append(std::move(record));
  post();
  start({routed({.levels = {.include = {"error"}}})});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().quarantined(), 1U);
  EXPECT_EQ(upstream.requests(), 1U);
}

TEST_F(ForwarderRoutingTest, SamplesAndTellsInClientReportsWhatItLeftOut) {
  for (int i = 0; i < 200; ++i) post({.types = {"transaction"}, .described = true});
  post({.types = {"event", "session"}});
  auto config = routed({.categories = {.exclude = {"session"}}});
  config.sample_rates = {{"transaction", "0.5"}};
  config.report_unsent = 1min;
  start({config});
  ASSERT_TRUE(all_written());
  const auto sent = row().forwarded();
  const auto left = row().not_sampled();
  EXPECT_EQ(sent + left, 201U);
  EXPECT_GT(sent, 60U);
  EXPECT_GT(left, 60U);
  EXPECT_EQ(row().unsent_size(), 2);
  const auto requests = upstream.requests();
  EXPECT_EQ(requests, sent);

  // A report that is not taken goes again, and what is still to be told outlives a restart.
  upstream.answer_with({.status = 503});
  clock.advance(2min);
  ASSERT_TRUE(upstream.wait_for_requests(requests + 1));
  ASSERT_TRUE(soon([&] { return status().in_flight == 0; }));
  forwarder.reset();
  upstream.answer_with({});
  start({config});
  clock.advance(2min);
  ASSERT_TRUE(soon([&] { return row().unsent_size() == 0; }));
  const auto last = upstream.received().back();
  EXPECT_EQ(last.project, 42U);
  EXPECT_NE(last.envelope.find("{\"reason\":\"sample_rate\",\"category\":\"transaction\",\"quantity\":" + std::to_string(left) + "}"), std::string::npos) << last.envelope;
  EXPECT_NE(last.envelope.find(R"({"reason":"not_routed","category":"session","quantity":1})"), std::string::npos) << last.envelope;
  const auto told = upstream.accepted();
  clock.advance(10min);
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.accepted(), told);
  EXPECT_EQ(row().forwarded(), sent);
}

}  // namespace
}  // namespace picket::upstream

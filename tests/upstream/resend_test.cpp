#include "upstream/resend.h"

#include "forwarder_fixture.h"

#include <algorithm>
#include <atomic>
#include <set>

namespace picket::upstream {
namespace {

class ResendTest : public ForwarderTest {
 protected:
  // All that was received so far, unless `change` says otherwise.
  void ask(const std::function<void(schema::Resend&)>& change = {}, const std::string& name = "hub") {
    change_row([&](schema::Destination& changed) {
      schema::Resend resend;
      resend.set_id(changed.resend().id() + 1);
      resend.set_to_ms(to_ms(clock.now()) + 1);
      resend.set_first(1);
      resend.set_next(1);
      resend.set_end(journal.use().next);
      if (change) change(resend);
      *changed.mutable_resend() = resend;
    }, name);
  }
  bool done(const std::string& name = "hub") {
    return soon([&] { return row(name).resend().ended_ms() != 0; });
  }
  static std::vector<std::string> ids(std::uint64_t first, std::uint64_t last) {
    std::vector<std::string> all;
    for (auto number = first; number <= last; ++number) all.push_back(event_id(number));
    return all;
  }
  std::vector<std::string> sorted_ids() const {
    auto all = upstream.accepted_ids();
    std::sort(all.begin(), all.end());
    return all;
  }
  DestinationConfig from_now_on() {
    auto config = destination(upstream);
    config.backfill = false;
    return config;
  }
};

TEST_F(ResendTest, ANewDestinationGetsTheRangeOnceAndASecondResendSendsNothing) {
  post_many(20);
  clock.advance(1h);
  post_many(10);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 31; }));
  post_many(5);
  ASSERT_TRUE(upstream.wait_for_accepted(5));
  ASSERT_TRUE(all_written());

  const auto an_hour_ago = to_ms(clock.now()) - 60'000;
  ask([&](schema::Resend& resend) { resend.set_to_ms(an_hour_ago); });
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 20U);
  EXPECT_EQ(upstream.accepted(), 25U);

  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 10U);
  EXPECT_EQ(row().resend().already_there(), 25U);
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 0U);
  EXPECT_EQ(sorted_ids(), ids(1, 35));
  EXPECT_EQ(row().forwarded(), 5U) << "the ledger is about what was its turn";
}

TEST_F(ResendTest, PassesOverWhatWasAcknowledgedUnlessToldAgain) {
  post_many(5);
  start();
  ASSERT_TRUE(all_written());
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().already_there(), 5U);
  EXPECT_EQ(upstream.requests(), 5U);
  ask([](schema::Resend& resend) { resend.set_again(true); });
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 5U);
  EXPECT_EQ(upstream.requests(), 10U);
}

TEST_F(ResendTest, SendsWhatRoutingLeftOutOnceItIsWanted) {
  auto config = destination(upstream);
  config.routing.projects.include = {"1"};
  for (std::uint64_t i = 0; i < 20; ++i) post({.project = 1 + i % 2, .described = true});
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 10U);
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().not_wanted(), 10U);
  EXPECT_EQ(upstream.requests(), 10U);

  restart();  // everything is wanted now
  ask([](schema::Resend& resend) { resend.add_projects(2); });
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 10U);
  EXPECT_EQ(sorted_ids(), ids(1, 20));
}

TEST_F(ResendTest, SendsOnlyWhatWasPicked) {
  post_many(20);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 21; }));
  buffer::MarkChanges picks;
  for (const buffer::Sequence sequence : {3U, 4U, 17U}) picks.set(buffer::Mark::picked, sequence);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { picks.apply(batch, "hub", 0); }));
  ask([](schema::Resend& resend) { resend.set_picked(true); });
  ASSERT_TRUE(done());
  EXPECT_EQ(sorted_ids(), (std::vector{event_id(3), event_id(4), event_id(17)}));
  const auto left = buffer::read_marks(tables->snapshot(), "hub", buffer::Mark::picked, 0, 30);
  EXPECT_EQ(std::count(left.begin(), left.end(), true), 0);
}

TEST_F(ResendTest, GoesOnWhereItWasAfterRestartsAndSendsNothingTwice) {
  post_many(600);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 601; }));
  ask();
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(upstream.wait_for_accepted(static_cast<std::size_t>(100 * (round + 1))));
    forwarder.reset();
    start({from_now_on()});
  }
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 600U);
  EXPECT_EQ(sorted_ids(), ids(1, 600));
}

TEST_F(ResendTest, AnUnwrittenMomentIsSentAgainAfterACrashAndNothingElse) {
  post_many(300);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 301; }));
  ask();
  ASSERT_TRUE(soon([&] { return row().resend().next() > 100; }));
  const auto before = row();
  ASSERT_TRUE(done());
  forwarder.reset();
  // As if everything since then had not been written.
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, buffer::Table::destinations, "hub", before);
    buffer::MarkChanges lost;
    for (auto sequence = before.resend().next(); sequence < 301; ++sequence) lost.clear(buffer::Mark::resent, sequence);
    lost.apply(batch, "hub", 0);
  }));
  start({from_now_on()});
  ASSERT_TRUE(done());
  const auto all = upstream.accepted_ids();
  EXPECT_EQ((std::set<std::string>(all.begin(), all.end()).size()), 300U);
  EXPECT_EQ(all.size(), 300U + (301U - before.resend().next()));
  EXPECT_EQ(row().resend().sent(), 300U);
}

TEST_F(ResendTest, LetsGoWhatArrivesMeanwhileAndUsesAQuarterOfTheRequests) {
  post_many(400);
  auto config = from_now_on();
  config.max_in_flight = 8;
  std::atomic<int> most{0};
  upstream.answer([&](const Received&) {
    most = std::max<int>(most, static_cast<int>(status().in_flight));
    return Reply{.delay = 2ms};
  });
  start({config});
  ASSERT_TRUE(soon([&] { return cursor() == 401; }));
  ask();
  ASSERT_TRUE(upstream.wait_for_accepted(20));
  EXPECT_LE(most, 3);
  const auto requests = upstream.requests();
  post();
  ASSERT_TRUE(soon([&] {
    const auto all = upstream.accepted_ids();
    return std::find(all.begin(), all.end(), event_id(401)) != all.end();
  }));
  EXPECT_LT(upstream.requests(), requests + 200);
  ASSERT_TRUE(done());
  EXPECT_EQ(sorted_ids(), ids(1, 401));
}

TEST_F(ResendTest, SurvivesErrorsLimitsAndRefusals) {
  post_many(30);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 31; }));
  std::atomic<int> count{0};
  upstream.answer([&](const Received& received) {
    if (received.event_id == event_id(7)) return Reply{.status = 413};
    return ++count % 3 == 0 ? Reply{.status = 503} : Reply{};
  });
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 29U);
  EXPECT_EQ(row().resend().refused(), 1U);
  EXPECT_TRUE(quarantine().empty());
  auto expected = ids(1, 30);
  expected.erase(expected.begin() + 6);
  EXPECT_EQ(sorted_ids(), expected);
}

TEST_F(ResendTest, LeavesQuarantinedAndWaitingEnvelopesToTheirOwnWay) {
  upstream.answer([](const Received& received) {
    if (received.event_id == event_id(1)) return Reply{.status = 413};
    if (received.event_id == event_id(2)) return Reply{.status = 429, .headers = {{"X-Sentry-Rate-Limits", "60:error:key"}}};
    return Reply{};
  });
  post_many(2);
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 3 && row().deferred_size() == 1 && row().quarantined() == 1; }));
  const auto requests = upstream.requests();
  ask([](schema::Resend& resend) { resend.set_again(true); });
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().already_there(), 2U);
  EXPECT_EQ(upstream.requests(), requests);
}

TEST_F(ResendTest, SendsWhatWasPurgedFromQuarantine) {
  upstream.answer_with({.status = 413});
  post();
  start();
  ASSERT_TRUE(soon([&] { return row().quarantined() == 1; }));
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) { batch.remove(buffer::Table::quarantine, quarantine_key("hub", 1)); }));
  upstream.answer_with({});
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 1U);
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 0U);
}

TEST_F(ResendTest, SendsAnEventThatIsThereTwiceOnce) {
  const std::string id = event_id(77);
  for (int i = 0; i < 2; ++i) post({.id = id, .described = true});
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.put(buffer::Table::event_ids, buffer::Key().u64(1).raw(relay::raw_bytes(*relay::parse_event_id(id))), buffer::Key().u64(1).u16(0));
  }));
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 3; }));
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(upstream.accepted_ids(), (std::vector{id}));
}

TEST_F(ResendTest, IsGivenUpWhenAskedThoughTheUpstreamIsDown) {
  post_many(50);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 51; }));
  upstream.answer_with({.status = 503});
  ask();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  change_row([](schema::Destination& changed) { changed.mutable_resend()->set_cancelled(true); });
  ASSERT_TRUE(done());
  EXPECT_TRUE(row().resend().cancelled());
  upstream.answer_with({});
  post();
  ASSERT_TRUE(soon([&] { return row().forwarded() == 1; }));
  EXPECT_EQ(upstream.accepted_ids(), (std::vector{event_id(51)}));
}

TEST_F(ResendTest, WhatFailsAfterItWasGivenUpIsNotTriedAgain) {
  post_many(3);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 4; }));
  upstream.answer_with({.status = 503, .delay = 2s});
  ask();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  change_row([](schema::Destination& changed) { changed.mutable_resend()->set_cancelled(true); });
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().sent(), 0U);
  EXPECT_EQ(upstream.accepted(), 0U);
}

TEST_F(ResendTest, CountsWhatTheJournalNoLongerHas) {
  post_many(10);
  journal.damage(4);
  start({from_now_on()});
  ASSERT_TRUE(soon([&] { return cursor() == 11; }));
  ASSERT_TRUE(journal.recycle_before(3));
  ask();
  ASSERT_TRUE(done());
  EXPECT_EQ(row().resend().gone(), 3U);
  EXPECT_EQ(row().resend().sent(), 7U);
}

}  // namespace
}  // namespace picket::upstream

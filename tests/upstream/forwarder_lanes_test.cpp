#include "upstream/deferred.h"
#include "lanes_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace picket::upstream {
namespace {

constexpr std::uint64_t long_backlog = 500;

TEST_F(LanesTest, SendsWhatMattersFirstAfterAnOutage) {
  post_backlog();
  start({one_at_a_time()});
  ASSERT_TRUE(upstream.wait_for_accepted(170, 120s)) << describe();
  EXPECT_EQ(runs(), (std::vector<std::string>{"event", "check_in", "session", "transaction"}));
  auto ids = upstream.accepted_ids();
  for (std::size_t i = 1; i < 50; ++i) EXPECT_LT(ids[i - 1], ids[i]) << "the oldest error first";
}

TEST_F(LanesTest, SendsTheNewestFirstWhereToldTo) {
  post_backlog();
  auto config = one_at_a_time();
  config.link.priority = {"sessions", "errors"};
  config.link.newest_first = {"errors"};
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(170, 120s)) << describe();
  auto ids = upstream.accepted_ids();
  for (std::size_t i = 1; i < 50; ++i) ASSERT_LT(ids[i - 1], ids[i]);
  for (std::size_t i = 51; i < 100; ++i) ASSERT_GT(ids[i - 1], ids[i]);
  EXPECT_EQ(runs(), (std::vector<std::string>{"session", "event", "check_in", "transaction"}));
}

TEST_F(LanesTest, WhatArrivesMeanwhileTakesItsPlaceByItsClass) {
  upstream.answer([](const Received&) { return Reply{.delay = 1ms}; });
  post_backlog();
  start({one_at_a_time()});
  ASSERT_TRUE(upstream.wait_for_accepted(160, 120s)) << "some transactions have gone";
  post({.types = {"event"}, .described = true});
  const auto late = event_id(posted);
  types_[late] = "event";
  ASSERT_TRUE(soon([&] {
    const auto ids = upstream.accepted_ids();
    return std::find(ids.begin(), ids.end(), late) != ids.end();
  }));
  EXPECT_LT(upstream.accepted(), long_backlog - 100) << "the error has waited for the transactions";
}

TEST_F(LanesTest, AMeteredLinkCarriesItsClassesWhateverElseWaits) {
  const auto file = folder / "metered";
  std::ofstream(file) << "yes";
  auto config = by_class();
  config.link.metered_file = file.string();
  post_backlog(600);
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(120));
  ASSERT_TRUE(soon([&] { return status().depth == 480U; }));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(upstream.requests(), 120U);
  EXPECT_LT(row().deferred_size(), 10);
  post_backlog(100);
  ASSERT_TRUE(upstream.wait_for_accepted(140));
  forwarder.reset();
  start({config});
  std::this_thread::sleep_for(200ms);
  ASSERT_TRUE(soon([&] { return status().depth == 560U; }));
  EXPECT_EQ(upstream.requests(), 140U);
  std::filesystem::remove(file);
  ASSERT_TRUE(upstream.wait_for_accepted(700, 120s));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 700U);
  EXPECT_EQ(distinct(), 700U);
  EXPECT_EQ(row().forwarded(), 700U);
}

TEST_F(LanesTest, ALimitOnOneClassHoldsNoOtherHoweverManyWaitForIt) {
  upstream.answer([](const Received& received) {
    if (received.envelope.find("\"type\":\"transaction\"") == std::string::npos) return Reply{};
    return Reply{.status = 429, .headers = {{"X-Sentry-Rate-Limits", "60:transaction:key"}}};
  });
  for (std::size_t i = 0; i < Deferred::capacity / 2 + 200; ++i) post({.types = {"transaction"}, .described = true});
  for (int i = 0; i < 20; ++i) post({.types = {"event"}, .described = true});
  auto config = by_class();
  config.link.priority = {"transactions"};  // the limited ones are looked at first
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(20)) << describe();
  for (int i = 0; i < 20; ++i) post({.types = {"event"}, .described = true});
  ASSERT_TRUE(upstream.wait_for_accepted(40)) << describe();
  EXPECT_LE(row().deferred_size(), static_cast<int>(Deferred::capacity));
  upstream.answer_with({});
  clock.advance(61s);
  ASSERT_TRUE(soon([&] { return row().forwarded() == Deferred::capacity / 2 + 240; }, 120s)) << describe();
  EXPECT_TRUE(all_written());
}

TEST_F(LanesTest, CountsWhatIsDamagedRecycledOrNoEnvelopeOnce) {
  post_backlog();
  journal.damage(400);
  journal.damage(401);
  buffer::Record sums;
  sums.kind = buffer::RecordKind::outcomes;
  journal.append(std::move(sums));
  buffer::Record nonsense;
  nonsense.project = 1;
  nonsense.key = std::string(16, 'k');
  nonsense.body = std::string("no envelope");
  journal.append(std::move(nonsense));
  auto config = by_class();
  upstream.answer_with({.status = 503});
  start({config});
  ASSERT_TRUE(soon([&] { return row().link().lanes_waiting() > 0; }));
  EXPECT_EQ(cursor(), 1U) << "retention must keep what waits in the lanes";
  ASSERT_TRUE(journal.recycle_before(101));
  upstream.answer_with({});
  ASSERT_TRUE(all_written_in_time()) << describe();
  EXPECT_EQ(row().forwarded() + row().quarantined() + row().expired(), long_backlog + 1);
  EXPECT_EQ(row().quarantined(), 3U);
  EXPECT_EQ(row().forwarded(), distinct());
  EXPECT_GE(row().expired(), 90U);
  EXPECT_LE(row().expired(), 100U);
  EXPECT_EQ(status().depth, 0U);
}

TEST_F(LanesTest, LosesNothingAndRepeatsLittleOverRestartsAndCrashes) {
  std::mt19937 random(11);
  post_backlog(1'500);
  auto config = by_class();
  config.link.newest_first = {"transactions", "check_ins"};
  std::size_t crashes = 0;
  for (int life = 0; life < 12; ++life) {
    start({config});
    const auto before = upstream.accepted();
    upstream.wait_for_accepted(std::min<std::size_t>(before + 10 + random() % 120, 1'500), 5s);
    if (life % 2 == 0) {
      // A crash: the tables as they were at some moment.
      const auto copy = folder / ("copy" + std::to_string(life));
      ASSERT_TRUE(tables->copy_to(copy));
      upstream.wait_for_accepted(upstream.accepted() + random() % 30, 1s);
      forwarder.reset();
      tables = *buffer::Tables::open({.path = copy});
      ++crashes;
    } else {
      forwarder.reset();
    }
    post_backlog(random() % 50);
  }
  start({config});
  ASSERT_TRUE(soon([&] { return cursor() == journal.use().next && row().deferred_size() == 0; }, 120s)) << describe();
  EXPECT_EQ(distinct(), posted);
  EXPECT_EQ(row().forwarded(), posted);
  // A crash repeats what was sent after the tables' last moment: 10 ms, the thirty above, and what is under way.
  EXPECT_LE(upstream.accepted() - posted, crashes * 250);
}

TEST_F(LanesTest, AnOlderVersionThatMovedTheCursorMakesItStartFromThere) {
  upstream.answer_with({.status = 503});
  post_backlog();
  start({by_class()});
  ASSERT_TRUE(soon([&] { return row().link().lanes_waiting() > 0; }));
  forwarder.reset();
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    schema::Cursor moved;
    moved.set_next_sequence(451);
    buffer::put_row(batch, buffer::Table::cursors, cursor_name("hub"), moved);
  }));
  change_row([](schema::Destination& changed) { changed.clear_deferred(); });
  upstream.answer_with({});
  start();
  ASSERT_TRUE(all_written_in_time());
  EXPECT_EQ(distinct(), 50U);
}

}  // namespace
}  // namespace picket::upstream

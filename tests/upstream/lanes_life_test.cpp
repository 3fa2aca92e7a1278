// A backlog that goes by classes at a destination that has lists, is drained, retired, resent to, or moves.
#include "buffer/moved.h"
#include "lanes_fixture.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

namespace picket::upstream {
namespace {

class LanesLifeTest : public LanesTest {
 protected:
  bool lanes_hold_some() {
    return soon([&] { return row().link().lanes_waiting() > 0; });
  }
  void digest_all() {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      schema::Cursor digested;
      digested.set_next_sequence(journal.use().next);
      buffer::put_row(batch, buffer::Table::cursors, "digest", digested);
    }));
  }
  bool moved(buffer::Sequence first, buffer::Sequence last) const { return buffer::is_moved(tables->snapshot(), first, last); }
  void ask_for_everything() {
    change_row([&](schema::Destination& changed) {
      schema::Resend resend;
      resend.set_id(changed.resend().id() + 1);
      resend.set_to_ms(to_ms(clock.now()) + 1);
      resend.set_first(1);
      resend.set_next(1);
      resend.set_end(journal.use().next);
      *changed.mutable_resend() = resend;
    });
  }
  bool resent() {
    return soon([&] { return row().resend().id() != 0 && row().resend().ended_ms() != 0; });
  }
  DestinationConfig metered_by(const std::filesystem::path& file) {
    std::ofstream(file) << "yes";
    auto config = by_class();
    config.link.metered_file = file.string();
    return config;
  }
};

TEST_F(LanesLifeTest, WithoutAnOrderABacklogGoesAsItCame) {
  auto config = one_at_a_time();
  config.link.priority = {};
  std::atomic<bool> handed = false;
  upstream.answer([&](const Received&) {
    handed = handed || status().handed > 0;
    return Reply{};
  });
  post_backlog();
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(500, 120s)) << describe();
  const auto ids = upstream.accepted_ids();
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_FALSE(handed);
}

TEST_F(LanesLifeTest, ListsDecideOnWhatAClassFinds) {
  post_backlog();
  auto config = by_class();
  config.routing.categories.exclude = {"session"};
  upstream.answer_with({.status = 503});
  start({config});
  ASSERT_TRUE(lanes_hold_some());
  upstream.answer_with({});
  ASSERT_TRUE(all_written_in_time());
  EXPECT_EQ(row().forwarded(), 450U);
  EXPECT_EQ(row().not_routed(), 50U);
  EXPECT_EQ(distinct(), 450U);
  EXPECT_EQ(upstream.accepted(), 450U);
  for (const auto& id : upstream.accepted_ids()) EXPECT_NE(types_.at(id), "session");
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 50}, {{2, 1}, 350}, {{5, 10}, 50}, {{10, 1}, 50}}));
}

TEST_F(LanesLifeTest, ALimitOnACategoryThatIsNotToGoHoldsNothing) {
  auto config = by_class();
  config.routing.categories.exclude = {"transaction"};
  change_row([&](schema::Destination& changed) {
    auto& limit = *changed.add_limits();
    limit.set_project(1);
    limit.set_categories("transaction");
    limit.set_scope("project");
    limit.set_until_ms(to_ms(clock.now() + 1h));
  });
  post_backlog();
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 150U);
  EXPECT_EQ(row().not_routed(), 350U);
}

TEST_F(LanesLifeTest, DrainsWhatWaitsInTheLanesAndTakesNothingNew) {
  post_backlog();
  upstream.answer_with({.status = 503});
  start({by_class()});
  ASSERT_TRUE(lanes_hold_some());
  change_row([&](schema::Destination& changed) { changed.set_drain_until(501); });
  post_backlog(100);
  ASSERT_TRUE(soon([&] { return row().link().fresh_cursor() == 601; }));
  EXPECT_NE(status().state, DestinationState::drained);
  upstream.answer_with({});
  ASSERT_TRUE(all_written_in_time());
  EXPECT_EQ(status().state, DestinationState::drained);
  EXPECT_EQ(row().forwarded(), 500U);
  EXPECT_EQ(row().not_routed(), 100U);
  EXPECT_EQ(distinct(), 500U);
}

TEST_F(LanesLifeTest, RetiredInTheMiddleItStartsAnewWithoutTheLanes) {
  upstream.answer([](const Received&) { return Reply{.delay = 2ms}; });
  post_backlog();
  auto config = one_at_a_time();
  config.link.max_bytes_per_day = 100'000'000;  // what was granted must be granted anew
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(60, 60s)) << describe();
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
    schema::Destination retired;
    retired.set_name("hub");
    retired.set_retired_ms(1);
    retired.set_generation(1);
    buffer::put_row(batch, buffer::Table::destinations, "hub", retired);
    batch.remove(buffer::Table::cursors, cursor_name("hub"));
  }));
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::retired; }));
  EXPECT_EQ(status().depth, 0U);
  const auto before = upstream.accepted();
  std::this_thread::sleep_for(100ms);
  EXPECT_LE(upstream.accepted(), before + 1);
  EXPECT_EQ(row().link().lanes_size(), 0);
  change_row([](schema::Destination& changed) { changed.set_retired_ms(0); });
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 500U);
  EXPECT_EQ(row().link().lanes_size(), 0);
  EXPECT_EQ(distinct(), 500U);
  EXPECT_GE(upstream.accepted(), before + 500 - 1);
}

TEST_F(LanesLifeTest, AResendWaitsForWhatTheClassesHaveStillToLookAt) {
  const auto file = folder / "metered";
  post_backlog();
  start({metered_by(file)});
  ASSERT_TRUE(upstream.wait_for_accepted(100));
  ask_for_everything();
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(row().resend().ended_ms(), 0);
  EXPECT_EQ(upstream.requests(), 100U);
  std::filesystem::remove(file);
  ASSERT_TRUE(resent());
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().resend().sent(), 0U);
  EXPECT_EQ(row().resend().already_there(), 500U);
  EXPECT_EQ(upstream.requests(), 500U);
  EXPECT_EQ(distinct(), 500U);
}

TEST_F(LanesLifeTest, AResendGoesOnWhereItWasAfterARestartAmongTheLanes) {
  const auto file = folder / "metered";
  const auto config = metered_by(file);
  post_backlog();
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(100));
  ask_for_everything();
  forwarder.reset();
  start({config});
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(upstream.requests(), 100U) << "nothing behind the lanes' lowest place is taken for acknowledged, or for missing";
  std::filesystem::remove(file);
  ASSERT_TRUE(resent());
  EXPECT_EQ(row().resend().already_there(), 500U);
  EXPECT_EQ(upstream.requests(), 500U);
}

TEST_F(LanesLifeTest, MovesNothingThatWaitsInALane) {
  const auto file = folder / "metered";
  auto config = metered_by(file);
  config.mode = "forward-only";
  post_backlog();
  digest_all();
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(100));
  ASSERT_TRUE(soon([&] { return row().forwarded() == 100; }));
  EXPECT_FALSE(moved(5, 5)) << "an error that has gone, behind transactions that have not";
  EXPECT_FALSE(moved(1, 1));
  EXPECT_FALSE(moved(1, 500));
  std::filesystem::remove(file);
  ASSERT_TRUE(all_written());
  EXPECT_TRUE(moved(1, 500));
}

TEST_F(LanesLifeTest, WhatWasTooOldToBeSentIsNotMovedAndAResendSendsIt) {
  auto config = destination(upstream);
  config.mode = "forward-only";
  config.link.time_to_live = {{"transactions", "1h"}};
  post({.types = {"event"}, .described = true});
  post({.types = {"transaction"}, .described = true});
  digest_all();
  clock.advance(2h);
  start({config});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().expired(), 1U);
  EXPECT_TRUE(moved(1, 1));
  EXPECT_FALSE(moved(2, 2)) << "the only one left of it is here";
  ask_for_everything();
  ASSERT_TRUE(resent());
  EXPECT_EQ(row().resend().already_there(), 1U);
  EXPECT_EQ(row().resend().sent(), 1U);
  EXPECT_EQ(upstream.accepted_ids(), (std::vector{event_id(1), event_id(2)}));
}

TEST_F(LanesLifeTest, AfterAnOlderJournalWasRestoredNothingGoesTwice) {
  change_row([](schema::Destination& changed) {
    auto& link = *changed.mutable_link();
    link.set_kept_cursor(1);
    link.set_fresh_cursor(501);
    link.set_lanes_waiting(500);
    for (const SendClass one : send_classes) {
      schema::Lane& lane = *link.add_lanes();
      lane.set_send_class(static_cast<std::uint32_t>(one));
      lane.add_ranges(1);
      lane.add_ranges(501);
    }
  });
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
    schema::Cursor at;
    at.set_next_sequence(1);
    buffer::put_row(batch, buffer::Table::cursors, cursor_name("hub"), at);
  }));
  post_backlog(100);
  start({by_class()});
  ASSERT_TRUE(all_written());
  post_backlog(50);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted(), 150U);
  EXPECT_EQ(distinct(), 150U);
}

}  // namespace
}  // namespace picket::upstream

#include "verbs_fixture.h"

namespace picket::upstream {
namespace {

class LifeVerbsTest : public VerbsTest {
 protected:
  LifeVerbsTest() {
    // The verbs look at a journal on the disk: one that has had as many records as the one in memory.
    options_.folder = folder / "journal";
    options_.segment_bytes = std::uint64_t{1} << 20;
  }
  void write_journal(int records) {
    auto written = *buffer::Journal::open(options_, clock);
    for (int i = 0; i < records; ++i) ASSERT_TRUE(written->offer(make_record({}, clock.now()), [](const auto&) {}));
  }
  buffer::JournalOptions options_;
};

TEST_F(LifeVerbsTest, DrainsWhatWaitsAndTakesNothingNewUntilReleased) {
  post_many(3);
  write_journal(3);
  upstream.answer_with({.status = 503});
  start();
  ASSERT_TRUE(soon([&] { return !row().last_error().empty(); }));
  const auto said = run("upstream drain", {"hub"});
  EXPECT_EQ(said.code, ExitCode::done) << said.err;
  EXPECT_NE(said.out.find("3 waiting"), std::string::npos) << said.out;
  EXPECT_EQ(row().drain_until(), 4U);

  start();  // and over a restart
  post_many(2);
  ASSERT_TRUE(soon([&] { return !row().last_error().empty(); }));
  upstream.answer_with({});
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(status().state, DestinationState::drained);
  EXPECT_EQ(row().not_routed(), 2U);
  EXPECT_EQ(row().forwarded(), 3U);
  EXPECT_NE(run("upstream ls", {}).out.find("drained"), std::string::npos);

  EXPECT_EQ(run("upstream release", {"hub"}).code, ExitCode::done);
  start();
  post();
  ASSERT_TRUE(upstream.wait_for_accepted(4));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(upstream.accepted_ids().back(), event_id(6));
  EXPECT_EQ(row().not_routed(), 2U);
}

TEST_F(LifeVerbsTest, ARunningForwarderDrainsWithinItsLook) {
  start();
  post();
  ASSERT_TRUE(all_written());
  change_row([](schema::Destination& changed) { changed.set_drain_until(2); });
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::drained; }));
  post();
  ASSERT_TRUE(soon([&] { return row().not_routed() == 1; }));
  EXPECT_EQ(upstream.requests(), 1U);
}

TEST_F(LifeVerbsTest, RetiresOnlyWhenToldTwiceAndSaysWhatIsGivenUp) {
  upstream.answer([](const Received& received) { return Reply{.status = received.event_id == event_id(1) ? 413U : 503U}; });
  post_many(3);
  write_journal(3);
  start();
  ASSERT_TRUE(soon([&] { return row().quarantined() == 1; }));
  const auto asked = run("upstream retire", {"hub"});
  EXPECT_EQ(asked.code, ExitCode::no);
  EXPECT_NE(asked.err.find("gives up 2 waiting record(s) and 1 in quarantine"), std::string::npos) << asked.err;
  EXPECT_EQ(quarantine().size(), 1U);

  const auto said = run("upstream retire", {"hub"}, {{"yes", ""}});
  EXPECT_EQ(said.code, ExitCode::done) << said.err;
  EXPECT_NE(said.out.find("gave up 2 waiting record(s) and 1 in quarantine"), std::string::npos) << said.out;
  EXPECT_TRUE(quarantine().empty());
  EXPECT_TRUE(items().empty());
  EXPECT_EQ(cursor(), 0U);

  upstream.answer_with({});
  const auto requests = upstream.requests();
  start();  // the section is still there
  post();
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.requests(), requests);
  EXPECT_EQ(status().state, DestinationState::retired);
  EXPECT_EQ(status().depth, 0U);
  EXPECT_EQ(cursor(), 0U);
  EXPECT_NE(run("upstream ls", {}).out.find("retired"), std::string::npos);
  EXPECT_EQ(run("upstream drain", {"hub"}).code, ExitCode::no);

  EXPECT_EQ(run("upstream release", {"hub"}).code, ExitCode::done);
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(4));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 4U);
  EXPECT_EQ(row().quarantined(), 0U);
}

TEST_F(LifeVerbsTest, WhatTheLinkHasCarriedStaysCountedWhenADestinationIsRetired) {
  write_journal(1);
  change_row([](schema::Destination& changed) {
    auto& link = *changed.mutable_link();
    link.set_day(19'675);
    link.set_day_bytes(1'234);
    link.set_month(24'286);
    link.set_month_bytes(5'678);
    link.set_lanes_waiting(9);
    link.set_kept_cursor(3);
    link.add_lanes()->add_ranges(3);
  });
  EXPECT_EQ(run("upstream retire", {"hub"}, {{"yes", ""}}).code, ExitCode::done);
  EXPECT_EQ(row().link().day(), 19'675);
  EXPECT_EQ(row().link().day_bytes(), 1'234U);
  EXPECT_EQ(row().link().month(), 24'286);
  EXPECT_EQ(row().link().month_bytes(), 5'678U);
  EXPECT_EQ(row().link().lanes_size(), 0);
  EXPECT_EQ(row().link().lanes_waiting(), 0U);
}

TEST_F(LifeVerbsTest, ARunningForwarderLetsGoOfARetiredDestinationAndWritesNothingMoreOfIt) {
  upstream.answer_with({.way = Reply::Way::stall});
  post_many(10);
  start();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  change_row([](schema::Destination& changed) {
    changed.set_retired_ms(1);
    changed.set_generation(changed.generation() + 1);
  });
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) { batch.remove(buffer::Table::cursors, cursor_name("hub")); }));
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::retired; }));
  EXPECT_EQ(status().in_flight, 0U);
  post_many(10);
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(cursor(), 0U);
  EXPECT_EQ(row().forwarded(), 0U);

  upstream.answer_with({});
  change_row([](schema::Destination& changed) { changed.set_retired_ms(0); });
  ASSERT_TRUE(upstream.wait_for_accepted(20));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 20U);
}

TEST_F(LifeVerbsTest, HoldIsPauseAndReleaseIsResume) {
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  EXPECT_EQ(run("upstream hold", {"hub"}).code, ExitCode::done);
  EXPECT_TRUE(row().paused());
  EXPECT_EQ(run("upstream release", {"hub"}).code, ExitCode::done);
  EXPECT_FALSE(row().paused());
  EXPECT_EQ(run("upstream release", {"hob"}).code, ExitCode::no);
  EXPECT_EQ(run("upstream drain", {}).code, ExitCode::usage);
  EXPECT_EQ(run("upstream retire", {"a", "b"}).code, ExitCode::usage);
}

}  // namespace
}  // namespace picket::upstream

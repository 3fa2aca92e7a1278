#include "forwarder_fixture.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>

namespace picket::upstream {
namespace {

std::size_t resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

TEST_F(ForwarderTest, LosesNothingAndSendsLittleTwiceOverRestartsInTheMiddle) {
  upstream.answer([](const Received&) { return Reply{.delay = 2ms}; });
  post_many(2'000);
  for (int i = 0; i < 8; ++i) {
    start();
    const auto before = upstream.accepted();
    upstream.wait_for_accepted(std::min<std::size_t>(2'000, before + 150));
    forwarder.reset();
    // What was counted and what the cursor has passed agree at any moment.
    EXPECT_EQ(row().forwarded() + 1, cursor());
  }
  start();
  ASSERT_TRUE(all_written());
  auto ids = upstream.accepted_ids();
  std::sort(ids.begin(), ids.end());
  const auto twice = ids.size() - std::set<std::string>(ids.begin(), ids.end()).size();
  EXPECT_EQ(ids.size() - twice, 2'000U);
  EXPECT_LE(twice, 9U * 64U);
  EXPECT_EQ(row().forwarded(), 2'000U);
}

TEST_F(ForwarderTest, KnowsAfterARestartWhatTheWayBore) {
  upstream.answer([](const Received&) { return Reply{.delay = 5ms}; });
  post_many(300);
  start();
  ASSERT_TRUE(all_written());
  forwarder.reset();
  auto known = row();
  ASSERT_GT(known.link().way_requests(), 0U);
  EXPECT_GT(known.link().way_answer_us(), 0U);
  // One alone says nothing of how many it bears, and nothing is forgotten for it.
  known.mutable_link()->set_way_requests(500);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { buffer::put_row(batch, buffer::Table::destinations, known.name(), known); }));
  post();
  start();
  ASSERT_TRUE(all_written());
  forwarder.reset();
  EXPECT_EQ(row().link().way_requests(), 500U);
  EXPECT_EQ(row().link().way_answer_us(), known.link().way_answer_us());
}

TEST_F(ForwarderTest, SendsAgainOnlyTheWindowAfterACrash) {
  post_many(300);
  start();
  ASSERT_TRUE(all_written());
  // A crash: the tables as they were some moments ago.
  const auto copy = folder / "copy.mdb";
  ASSERT_TRUE(tables->copy_to(copy));
  post_many(200);
  ASSERT_TRUE(all_written());
  forwarder.reset();
  tables = *buffer::Tables::open({.path = copy});
  start();
  ASSERT_TRUE(all_written());
  const auto ids = upstream.accepted_ids();
  EXPECT_EQ(ids.size(), 700U);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 500U);
  EXPECT_EQ(row().forwarded(), 500U);
}

// Beside a process that writes its tables but once, at the beginning.
class ForwarderKillTest : public ForwarderTest {
 protected:
  ForwarderKillTest() {
    forwarding.notes = folder / "forwarding";
    forwarding.write_every = 1h;
  }
  // Tables and notes are as they were at this moment, whatever the process does while it ends.
  void kill() {
    const auto at_the_kill = folder / ("tables" + std::to_string(++kills_) + ".mdb");
    ASSERT_TRUE(tables->copy_to(at_the_kill));
    std::filesystem::copy_file(forwarding.notes / "hub.notes", folder / "notes");
    forwarder.reset();
    std::filesystem::rename(folder / "notes", forwarding.notes / "hub.notes");
    tables = *buffer::Tables::open({.path = at_the_kill});
  }

 private:
  int kills_ = 0;
};

TEST_F(ForwarderKillTest, NothingThatWasAcknowledgedIsSentAgain) {
  upstream.answer([](const Received& received) { return Reply{.status = received.event_id == event_id(50) ? 503U : 200U}; });
  start();
  post_many(200);
  ASSERT_TRUE(upstream.wait_for_accepted(199));
  ASSERT_TRUE(soon([&] { return status().forwarded + status().in_flight >= 49; }));
  std::this_thread::sleep_for(50ms);  // what was answered was read
  for (int round = 0; round < 3; ++round) {
    kill();
    EXPECT_LE(cursor(), 50U);
    const auto requests = upstream.requests();
    start();
    ASSERT_TRUE(soon([&] { return upstream.requests() > requests + 3; })) << "the one that was not acknowledged";
    const auto received = upstream.received();
    for (auto i = requests; i < received.size(); ++i) EXPECT_EQ(received[i].event_id, event_id(50));
  }
  EXPECT_EQ(upstream.accepted(), 199U);
  upstream.answer_with({});
  ASSERT_TRUE(upstream.wait_for_accepted(200));
  forwarder.reset();
  EXPECT_EQ(cursor(), 201U);
  EXPECT_EQ(row().forwarded(), 200U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 200}}));
}

// What is behind the cursor is in no table, however often they are written: here for limits of what is not sent.
TEST_F(ForwarderKillTest, OneThatIsSlowMakesNothingBehindItGoAgain) {
  forwarding.write_every = 10ms;
  std::atomic<int> limit = 60;
  upstream.answer([&](const Received& received) {
    if (received.event_id == event_id(6)) return Reply{.delay = 60s};
    return Reply{.headers = {{"X-Sentry-Rate-Limits", std::to_string(limit) + ":replay:organization"}}};
  });
  auto config = destination(upstream);
  config.stall_timeout = 600s;
  start({config});
  post_many(5);
  ASSERT_TRUE(all_written());
  const auto delivered = [&] {
    auto ids = upstream.accepted_ids();
    std::erase(ids, event_id(6));
    return ids.size();
  };
  post_many(45);
  ASSERT_TRUE(soon([&] { return delivered() == 49; })) << describe();
  for (std::size_t more = 1; more <= 5; ++more) {
    limit = 60 + static_cast<int>(more);
    post();
    ASSERT_TRUE(soon([&] { return row().limits_size() == 1 && row().limits(0).until_ms() == to_ms(clock.now()) + limit * 1'000; })) << describe();
  }
  kill();
  EXPECT_EQ(cursor(), 6U);
  upstream.answer_with({});
  start({config});
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(delivered(), 54U);
  EXPECT_EQ(row().forwarded(), 55U);
}

TEST_F(ForwarderKillTest, WhatGoesAgainBecauseADestinationStartsAnewIsNotTakenForDelivered) {
  start();
  post_many(20);
  ASSERT_TRUE(upstream.wait_for_accepted(20));
  kill();
  change_row([](schema::Destination& row) { row.set_generation(row.generation() + 1); });
  start();
  EXPECT_TRUE(upstream.wait_for_accepted(40));
}

TEST_F(ForwarderKillTest, ANumberThatIsGivenOutOnceMoreIsAnotherRecords) {
  start();
  post_many(3);
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  kill();
  testing::MemoryJournal other;
  for (std::uint64_t number = 11; number < 14; ++number) other.append(make_record({.id = event_id(number)}, clock.now()));
  Forwarder fresh(other, *tables, clock, *checked({destination(upstream)}), forwarding);
  fresh.start();
  EXPECT_TRUE(upstream.wait_for_accepted(6));
}

TEST_F(ForwarderKillTest, WhatIsDeferredAndWasDeliveredIsKnownToo) {
  upstream.answer([](const Received& received) { return Reply{.status = received.event_id == event_id(1) ? 500U : 200U}; });
  post_many(20);
  forwarding.write_every = 10ms;
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 21 && row().deferred_size() == 1; })) << describe();
  forwarder.reset();
  forwarding.write_every = 1h;
  start();
  const auto failed = status().failures;
  ASSERT_TRUE(soon([&] {  // what is written once is that it failed again
    clock.advance(1min);
    return status().failures > failed + 2;
  }));
  upstream.answer_with({});
  ASSERT_TRUE(soon([&] {
    clock.advance(1min);
    return status().deferred == 0;
  }));
  kill();
  EXPECT_EQ(row().deferred_size(), 1);
  const auto requests = upstream.requests();
  start();
  ASSERT_TRUE(soon([&] {
    clock.advance(1min);
    return status().deferred == 0;
  }));
  EXPECT_EQ(upstream.requests(), requests);
  forwarder.reset();
  EXPECT_EQ(row().forwarded(), 20U);
}

TEST_F(ForwarderTest, ADeadDestinationDelaysNoOther) {
  DestinationConfig dead = destination(upstream, "dead");
  dead.dsn = "http://abababababababababababababababab@127.0.0.1:1/1";
  FakeUpstream stalling;
  stalling.answer_with({.way = Reply::Way::stall});
  DestinationConfig slow = destination(stalling, "slow");
  slow.stall_timeout = 600s;  // longer than anything below is waited for
  start({dead, slow, destination(upstream)});
  post_many(1'000);
  ASSERT_TRUE(upstream.wait_for_accepted(1'000));
  EXPECT_TRUE(all_written());
  EXPECT_EQ(status("dead").depth, 1'000U);
  EXPECT_TRUE(soon([&] { return status("dead").state == DestinationState::retrying; }));
  EXPECT_NE(status("dead").last_error, "");
  EXPECT_EQ(status("slow").depth, 1'000U);
  EXPECT_TRUE(status("slow").oldest.has_value());
  const auto stopping = std::chrono::steady_clock::now();
  forwarder.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - stopping, 60s) << "stop() is bounded";
}

TEST_F(ForwarderTest, HoldsADestinationThatDoesNotAcceptUsUntilItIsResumed) {
  for (const unsigned refusal : {401U, 403U, 404U}) {
    upstream.answer_with({.status = refusal, .body = R"({"detail":"bad sentry DSN"})"});
    const auto before = upstream.requests();
    post_many(40);
    if (!forwarder) start();
    ASSERT_TRUE(soon([&] { return row().held_reason().find(std::to_string(refusal)) != std::string::npos; }));
    EXPECT_NE(row().held_reason().find("bad sentry DSN"), std::string::npos);
    ASSERT_TRUE(soon([&] { return status().state == DestinationState::held && status().in_flight == 0; }));
    const auto while_held = upstream.requests();
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(upstream.requests(), while_held);
    EXPECT_LE(while_held - before, 40U);
    EXPECT_TRUE(quarantine().empty());
    upstream.answer_with({});
    resume();
    ASSERT_TRUE(all_written());
    EXPECT_EQ(row().held_reason(), "");
  }
  EXPECT_EQ(row().forwarded(), 120U);
}

TEST_F(ForwarderTest, ProbesAHeldDestinationSlowlyByItself) {
  auto config = destination(upstream);
  config.hold_probe = 50ms;
  upstream.answer_with({.status = 403});
  post_many(10);
  start({config});
  ASSERT_TRUE(upstream.wait_for_requests(4));
  upstream.answer_with({});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().held_reason(), "");
  EXPECT_EQ(status().state, DestinationState::running);
}

TEST_F(ForwarderTest, HoldsOneKeyOfManyWithoutTheOthers) {
  upstream.answer([](const Received& received) { return received.project == 5 ? Reply{.status = 403} : Reply{}; });
  auto config = destination(upstream);
  config.dsn.clear();
  config.url = upstream.url();
  for (int i = 0; i < 50; ++i) {
    post({.project = 5});
    journal.append([&] {
      auto record = make_record({.project = 6, .id = event_id(1'000 + static_cast<std::uint64_t>(i))}, clock.now());
      record.key = std::string(16, '\x11');
      return record;
    }());
  }
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(50));
  ASSERT_TRUE(soon([&] { return row().held_reason().find("project 5") != std::string::npos; }));
  EXPECT_EQ(status().state, DestinationState::held);
  upstream.answer_with({});
  resume();
  ASSERT_TRUE(upstream.wait_for_accepted(100));
  EXPECT_TRUE(soon([&] { return row().held_reason().empty() && row().deferred_size() == 0; }));
}

TEST_F(ForwarderTest, SendsNothingWhilePausedAlsoOverARestart) {
  start();
  change_row([](schema::Destination& changed) { changed.set_paused(true); });
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::paused; }));
  post_many(10);
  restart();
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.requests(), 0U);
  EXPECT_EQ(status().state, DestinationState::paused);
  EXPECT_EQ(status().depth, 10U);
  change_row([](schema::Destination& changed) { changed.set_paused(false); });
  EXPECT_TRUE(upstream.wait_for_accepted(10));
}

TEST_F(ForwarderTest, TriesAQuarantinedEnvelopeAgainWhenAsked) {
  upstream.answer_with({.status = 400});
  post_many(3);
  start();
  ASSERT_TRUE(all_written());
  ASSERT_EQ(quarantine().size(), 3U);
  upstream.answer([](const Received& received) {
    return received.event_id == event_id(3) ? Reply{.status = 400} : Reply{};
  });
  const auto before = quarantine();
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    for (const buffer::Sequence sequence : {2, 3}) {
      auto asked = before[sequence - 1];
      asked.set_retry_requested(true);
      buffer::put_row(batch, buffer::Table::quarantine, quarantine_key("hub", sequence), asked);
    }
  }));
  resume();
  ASSERT_TRUE(soon([&] { return row().forwarded() == 1 && row().quarantined() == 2; }));
  const auto rows = quarantine();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].sequence(), 1U);
  EXPECT_EQ(rows[1].sequence(), 3U);
  EXPECT_FALSE(rows[1].retry_requested());
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 1}, {{1, 2}, 2}}));
}

TEST_F(ForwarderTest, CountsRecordsThatWereRecycledUnderItAsExpired) {
  change_row([](schema::Destination& changed) { changed.set_paused(true); });
  post_many(100);
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  ASSERT_TRUE(journal.recycle_before(61));
  change_row([](schema::Destination& changed) { changed.set_paused(false); });
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().expired(), 60U);
  EXPECT_EQ(row().forwarded(), 40U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{1, 1}, 40}, {{255, 3}, 60}}));
}

TEST_F(ForwarderTest, CountsAsExpiredWhenNothingAtAllIsLeft) {
  change_row([](schema::Destination& changed) { changed.set_paused(true); });
  post_many(10);
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 1; }));
  ASSERT_TRUE(journal.recycle_before(11));
  change_row([](schema::Destination& changed) { changed.set_paused(false); });
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().expired(), 10U);
}

TEST_F(ForwarderTest, CountsExactlyWhatExpiresWhileItIsTriedAgain) {
  upstream.answer_with({.status = 503});
  post({.types = {"session", "session"}});
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(2));
  ASSERT_TRUE(journal.recycle_before(2));
  upstream.answer_with({});
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().expired() + row().forwarded(), 2U);
  if (row().expired() == 1) {
    EXPECT_EQ((items()[{5, 3}]), 2U);
  }
}

TEST_F(ForwarderTest, GoesOnFromTheEndOfAnOlderJournal) {
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
    schema::Cursor far;
    far.set_next_sequence(1'000);
    buffer::put_row(batch, buffer::Table::cursors, cursor_name("hub"), far);
  }));
  post_many(5);
  start();
  ASSERT_TRUE(soon([&] { return cursor() == 6; }));
  post();
  EXPECT_TRUE(upstream.wait_for_accepted(1));
}

TEST_F(ForwarderTest, ConservesEveryItemThroughTrouble) {
  upstream.answer([n = 0](const Received& received) mutable {
    ++n;
    if (received.event_id.ends_with("7")) return Reply{.status = 400};
    if (n % 10 == 3) return Reply{.status = 503};
    if (n % 31 == 4) return Reply{.way = Reply::Way::reset};
    if (n % 53 == 5) return Reply{.status = 429, .headers = {{"X-Sentry-Rate-Limits", "1:session:key"}}};
    return Reply{};
  });
  const std::vector<std::vector<std::string>> kinds = {
      {"event"}, {"event", "attachment", "attachment"}, {"session", "session"}, {"client_report"}, {"transaction"}, {"odd"}};
  for (std::size_t i = 0; i < 600; ++i) post({.types = kinds[i % kinds.size()]});
  start();
  int steps = 0;
  const auto settled = [&] {
    if (cursor() == 601 && row().deferred_size() == 0) return true;
    clock.advance(500ms);
    std::this_thread::sleep_for(20ms);
    if (++steps < 200 && steps % 40 == 20) restart();
    return false;
  };
  ASSERT_TRUE(soon(settled, 120s));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded() + row().quarantined(), 600U);
  EXPECT_EQ(quarantine().size(), row().quarantined());
  std::map<int, std::uint64_t> by_category;
  for (const auto& [key, quantity] : items()) by_category[key.first] += quantity;
  EXPECT_EQ(by_category, (std::map<int, std::uint64_t>{{1, 200}, {2, 100}, {4, 200}, {5, 200}, {200, 100}, {255, 100}}));
}

TEST_F(ForwarderTest, NeedsNoMoreMemoryForALongBacklogOfADeadUpstream) {
  auto config = destination(upstream);
  upstream.answer_with({.status = 503});
  post_many(10'000);
  start({config});
  ASSERT_TRUE(upstream.wait_for_requests(20));
  const auto before = resident_kilobytes();
  ASSERT_TRUE(upstream.wait_for_requests(120));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep what was freed
  EXPECT_LT(resident_kilobytes(), before + 8'192);
#else
  EXPECT_GT(before, 0U);
#endif
  EXPECT_LE(cursor(), 1U);
  EXPECT_LT(journal.reads(), 2'000U);
}

TEST_F(ForwarderTest, StartsAndStopsAtAnyMomentWhileRecordsArrive) {
  std::atomic<bool> done{false};
  std::thread sdk([&] {
    for (std::uint64_t i = 1; !done; ++i) {
      journal.append(make_record({.id = event_id(i)}, clock.now()));
      std::this_thread::sleep_for(100us);
    }
  });
  for (int i = 0; i < 20; ++i) {
    start();
    std::this_thread::sleep_for(std::chrono::milliseconds(i));
    forwarder->status();
    forwarder.reset();
  }
  done = true;
  sdk.join();
  start();
  EXPECT_TRUE(all_written());
  const auto ids = upstream.accepted_ids();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), journal.use().next - 1);
}

TEST_F(ForwarderTest, SleepsWhenThereIsNothingToDo) {
  post();
  start();
  ASSERT_TRUE(all_written());
  const auto began = std::chrono::steady_clock::now();
  const auto reads = journal.reads();
  const auto worked = std::clock();
  std::this_thread::sleep_for(500ms);
  const auto read_since = journal.reads() - reads;
  const std::chrono::duration<double> worked_since(static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC);
  const auto passed = std::chrono::steady_clock::now() - began;
  // look_every is 20 ms here, a second in earnest; the sleep may last longer than it was told to.
  EXPECT_LE(read_since, static_cast<std::uint64_t>(passed / 12ms));
  EXPECT_LT(worked_since, passed * 0.4);
}

}  // namespace
}  // namespace picket::upstream

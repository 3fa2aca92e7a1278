// Batches: to whom they go, and what becomes of each envelope in them.
#include "batches_fixture.h"

namespace picket::upstream {
namespace {

TEST_F(BatchesTest, GoOnlyToWhoHasOfferedToTakeThem) {
  post_and_start(200);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(upstream.requests(), 200U);
  for (const auto& received : upstream.received()) EXPECT_EQ(received.path, "/api/42/envelope/");
}

TEST_F(BatchesTest, HoldWhatIsReadyAndSettleEach) {
  take_batches();
  post_and_start(301);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 301U);
  EXPECT_TRUE(each_once(301));
  EXPECT_EQ(envelopes, 300U);
  EXPECT_EQ(alone_requests(), 1U);
  EXPECT_LT(batches, 100U);
  EXPECT_EQ((items()[{static_cast<int>(relay::DataCategory::error), static_cast<int>(Fate::forwarded)}]), 301U);
  for (const auto& received : upstream.received()) {
    if (!is_batch(received)) continue;
    EXPECT_EQ(received.coding, "zstd");
    EXPECT_EQ(received.find_header("Content-Type"), relay::batch_content_type);
  }
}

TEST_F(BatchesTest, SayOfEachWhatARequestOfItsOwnWould) {
  take_batches();
  post_and_start(1);
  RecordOptions options{.sent_at = "2026-11-01T12:00:00.000Z", .id = event_id(2)};
  post(options);
  ASSERT_TRUE(upstream.wait_for_requests(2));
  const auto received = upstream.received();
  const auto frames = frames_of(received.at(1));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].project, "42");
  EXPECT_EQ(frames[0].body, envelope_text(options));
  std::vector<std::string> expected;
  for (const auto& [name, value] : received[0].headers) {
    if (name == "X-Sentry-Auth" || name == "User-Agent" || name == "X-Forwarded-For" || name == "X-Picket-Via" || name == "Origin")
      expected.push_back(name + ": " + value);
  }
  EXPECT_EQ(frames[0].headers, expected);
}

TEST_F(BatchesTest, NeverGoWhereTheOperatorDoesNotWantThem) {
  take_batches();
  auto config = destination(upstream);
  config.batch = "never";
  post_and_start(50, config);
  ASSERT_TRUE(all_written());
  EXPECT_EQ(batches, 0U);
}

TEST_F(BatchesTest, GiveWayToSingleEnvelopesWhereTheyAreNotTakenAfterAll) {
  for (const unsigned status : {404U, 405U, 415U, 400U, 403U, 200U, 302U, 501U}) {
    SCOPED_TRACE(status);
    upstream.answer([this, status](const Received& received) {
      Reply reply;
      if (is_batch(received)) {
        ++batches;
        reply.status = status;
        reply.body = "{}";
        return reply;
      }
      reply.headers.emplace_back("X-Picket-Batch", "1");
      note(received.event_id);
      return reply;
    });
    const auto before = posted;
    batches = 0;
    post_many(60);
    start();
    ASSERT_TRUE(all_written()) << describe();
    EXPECT_GE(batches, 1U);
    batches = 0;
    post_many(20);
    ASSERT_TRUE(all_written()) << describe();
    EXPECT_EQ(batches, 0U);
    for (auto i = before + 1; i <= posted; ++i) EXPECT_EQ(times(i), 1U) << i;
    EXPECT_TRUE(quarantine().empty());
    EXPECT_EQ(row().held_reason(), "");
    EXPECT_EQ(row().forwarded(), posted);
    forwarder.reset();
  }
}

TEST_F(BatchesTest, QuarantineOneForWhatItIs) {
  take_batches([](const Framed& frame) {
    if (frame.event_id == event_id(7)) return BatchLine{400, "", "", R"({"detail":"bad"})"};
    if (frame.event_id == event_id(9)) return BatchLine{413, "", "", R"({"detail":"large"})"};
    return accepted();
  });
  post_and_start(40);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 38U);
  const auto rows = quarantine();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].status(), 400U);
  EXPECT_EQ(rows[0].answer(), R"({"detail":"bad"})");
  EXPECT_EQ(rows[1].status(), 413U);
}

TEST_F(BatchesTest, LetOnlyWhatIsLimitedWait) {
  std::atomic<bool> limited{true};
  take_batches([&](const Framed& frame) {
    if (limited && frame.project == "2") return BatchLine{429, "60", "60:error:project:quota", "{}"};
    return accepted();
  });
  auto config = destination(upstream);
  config.dsn.clear();
  config.url = upstream.url();
  post();
  for (int i = 0; i < 20; ++i) post({.project = i % 2 == 0 ? 1U : 2U});
  start({config});
  ASSERT_TRUE(soon([&] { return taken().size() == 11 && row().deferred_size() == 10; })) << describe();
  EXPECT_TRUE(quarantine().empty());
  limited = false;
  clock.advance(61s);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 21U);
}

TEST_F(BatchesTest, HoldOnlyTheKeyThatIsRefused) {
  take_batches([](const Framed& frame) {
    if (frame.project == "2") return BatchLine{403, "", "", R"({"detail":"no such key"})"};
    return accepted();
  });
  auto config = destination(upstream);
  config.dsn.clear();
  config.url = upstream.url();
  config.projects = {{"2", "http://cccccccccccccccccccccccccccccccc@127.0.0.1:" + std::to_string(upstream.port()) + "/2"}};
  post();
  for (int i = 0; i < 20; ++i) post({.project = i % 2 == 0 ? 1U : 2U});
  start({config});
  ASSERT_TRUE(soon([&] { return row().forwarded() == 11 && row().deferred_size() == 10; })) << describe();
  EXPECT_NE(row().held_reason().find("403"), std::string::npos);
  post({.project = 1});
  ASSERT_TRUE(soon([&] { return row().forwarded() == 12; })) << describe();
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(BatchesTest, HoldTheDestinationWhoseOnlyKeyIsRefused) {
  std::atomic<bool> refused{true};
  take_batches([&](const Framed&) { return refused ? BatchLine{401, "", "", "{}"} : accepted(); },
               [&](const Received& received) { return refused && received.event_id != event_id(1) ? Reply{.status = 401} : Reply{}; });
  post_and_start(30);
  ASSERT_TRUE(soon([&] { return row().held_reason().find("401") != std::string::npos; })) << describe();
  refused = false;
  resume();
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 30U);
  EXPECT_TRUE(each_once(30));
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(BatchesTest, SendAgainWhatGotNoLine) {
  std::atomic<bool> first{true};
  take_batches();
  upstream.answer([&](const Received& received) {
    if (!is_batch(received)) {
      note(received.event_id);
      return Reply{.headers = {{"X-Picket-Batch", "1"}}};
    }
    auto reply = answer_to(received, nullptr);
    if (first.exchange(false)) reply.body = relay::render_batch_line(accepted());
    return reply;
  });
  post_and_start(20);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 20U);
  EXPECT_EQ(times(2), 1U);  // had a line
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_GE(times(i), 1U) << i;
}

TEST_F(BatchesTest, CountWhatHadALineBeforeTheConnectionBroke) {
  std::set<std::string> acknowledged;
  std::atomic<bool> first{true};
  upstream.answer([&](const Received& received) {
    if (!is_batch(received)) {
      note(received.event_id);
      return Reply{.headers = {{"X-Picket-Batch", "1"}}};
    }
    auto reply = answer_to(received, nullptr);
    if (!first.exchange(false)) return reply;
    // Half of the body arrives.
    const auto frames = frames_of(received);
    const auto whole = relay::parse_batch_lines(std::string_view(reply.body).substr(0, reply.body.size() / 2), frames.size());
    const std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < whole.size(); ++i) acknowledged.insert(frames[i].event_id);
    reply.way = Reply::Way::cut;
    return reply;
  });
  post_and_start(40);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 40U);
  const auto all = taken();
  const std::lock_guard lock(mutex);
  EXPECT_FALSE(acknowledged.empty());
  for (const auto& id : acknowledged) EXPECT_EQ(all.count(id), 1U) << id;
  for (std::uint64_t i = 1; i <= 40; ++i) EXPECT_TRUE(all.contains(event_id(i))) << i;
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(BatchesTest, SendAgainWhatFailedAsAWhole) {
  std::atomic<int> failures{0};
  upstream.answer([&](const Received& received) {
    if (!is_batch(received)) {
      note(received.event_id);
      return Reply{.headers = {{"X-Picket-Batch", "1"}}};
    }
    const int nth = failures++;
    if (nth == 0) return Reply{.status = 503};
    if (nth == 1) return Reply{.way = Reply::Way::reset};
    return answer_to(received, nullptr);
  });
  post_and_start(60);
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(row().forwarded(), 60U);
  EXPECT_TRUE(each_once(60));
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(BatchesTest, LetTheOthersGoWhereOneFailsThemAll) {
  take_batches();
  upstream.answer([&](const Received& received) {
    if (!is_batch(received)) {
      if (received.event_id == event_id(5)) return Reply{.status = 500};
      note(received.event_id);
      return Reply{.headers = {{"X-Picket-Batch", "1"}}};
    }
    for (const auto& frame : frames_of(received)) {
      if (frame.event_id == event_id(5)) return Reply{.status = 500};
    }
    return answer_to(received, nullptr);
  });
  post_and_start(20);
  // Those that failed three times have a pause of their own.
  ASSERT_TRUE(soon([&] {
    clock.advance(50ms);
    return row().forwarded() == 19;
  })) << describe();
  EXPECT_EQ(times(5), 0U);
  ASSERT_TRUE(soon([&] { return row().deferred_size() == 1; })) << describe();
  EXPECT_TRUE(quarantine().empty());
}

}  // namespace
}  // namespace picket::upstream

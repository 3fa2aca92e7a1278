#include "forwarder_fixture.h"

#include <set>

namespace picket::upstream {
namespace {

constexpr int error_category = 1;

std::string header_line(const Received& received) {
  return received.envelope.substr(0, received.envelope.find('\n'));
}

TEST_F(ForwarderTest, SendsWhatIsThereAndWhatComesToTheDsnsProjectWithItsKey) {
  post({.sent_at = "2023-11-14T22:13:20.000Z"});
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  post();
  ASSERT_TRUE(upstream.wait_for_accepted(2));

  const auto received = upstream.received();
  const Received& first = received[0];
  EXPECT_EQ(first.path, "/api/42/envelope/");
  EXPECT_EQ(first.find_header("X-Sentry-Auth"),
            "Sentry sentry_key=abababababababababababababababab, sentry_version=7, sentry_client=sentry.test/1.0");
  EXPECT_EQ(first.find_header("Content-Type"), "application/x-sentry-envelope");
  EXPECT_EQ(first.coding, "zstd");
  EXPECT_EQ(first.find_header("User-Agent"), "sdk/1.0 (test)");
  EXPECT_EQ(first.find_header("X-Forwarded-For"), "203.0.113.7");
  EXPECT_NE(first.find_header("Content-Length"), "");
  EXPECT_EQ(first.event_id, event_id(1));
  EXPECT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 2U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{error_category, 1}, 2}}));
}

TEST_F(ForwarderTest, KeepsItemsByteForByteInEveryStoredCoding) {
  for (const auto coding : {relay::Coding::identity, relay::Coding::gzip, relay::Coding::zstd}) {
    post({.coding = coding, .types = {"event", "from_the_future", "attachment"}});
  }
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  const RecordOptions sent{.id = "x", .types = {"event", "from_the_future", "attachment"}};
  const auto text = envelope_text(sent);
  for (const Received& received : upstream.received()) {
    EXPECT_EQ(received.envelope.substr(received.envelope.find('\n')), text.substr(text.find('\n')));
  }
}

TEST_F(ForwarderTest, MovesSentAtByTheTimeSpentHereAtEachAttempt) {
  upstream.answer_with({.status = 503});
  post({.sent_at = "2023-11-14T22:00:00.000Z"});
  start();
  ASSERT_TRUE(upstream.wait_for_requests(1));
  clock.advance(3h);
  const auto before = upstream.requests();
  ASSERT_TRUE(upstream.wait_for_requests(before + 2));
  upstream.answer_with({});
  ASSERT_TRUE(upstream.wait_for_accepted(1));

  const auto received = upstream.received();
  EXPECT_NE(header_line(received.front()).find("2023-11-14T22:00:00.000Z"), std::string::npos) << header_line(received.front());
  EXPECT_NE(header_line(received.back()).find("2023-11-15T01:00:00.000Z"), std::string::npos) << header_line(received.back());
}

TEST_F(ForwarderTest, AddsNoSentAtWhereThereWasNone) {
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(header_line(upstream.received()[0]).find("sent_at"), std::string::npos);
}

TEST_F(ForwarderTest, AddsTheEventIdThatIntakeGave) {
  auto record = make_record({}, clock.now());
  schema::IntakeMeta meta;
  meta.set_event_id(std::string(relay::raw_bytes(*relay::parse_event_id(event_id(77)))));
  record.meta = meta.SerializeAsString();
  journal.append(record);
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  const auto received = upstream.received();
  EXPECT_EQ(received[0].event_id, event_id(77));
  EXPECT_EQ(received[0].client.substr(0, 7), "picket/");
}

TEST_F(ForwarderTest, KeepsProjectAndKeyWhenGivenAUrl) {
  auto config = destination(upstream);
  config.dsn.clear();
  config.url = upstream.url() + "/";
  config.projects = {{"7", "70"}, {"8", upstream.dsn(80)}};
  for (const std::uint64_t project : {5, 7, 8}) post({.project = project});
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  std::map<std::uint64_t, std::string> keys;
  for (const Received& received : upstream.received()) keys[received.project] = received.key;
  EXPECT_EQ(keys[5], local_key);
  EXPECT_EQ(keys[70], local_key);
  EXPECT_EQ(keys[80], "abababababababababababababababab");
}

TEST_F(ForwarderTest, TriesAgainForEverOnErrorsThatPass) {
  const std::vector<Reply> trouble = {
      {.status = 500}, {.status = 502}, {.status = 503}, {.status = 504}, {.status = 408}, {.status = 429},
      {.way = Reply::Way::reset}, {.way = Reply::Way::cut}, testing::portal_page(),
      {.status = 302, .headers = {{"Location", "http://portal.example/"}}},
  };
  upstream.answer([&, next = std::size_t{0}](const Received&) mutable {
    return next < trouble.size() ? trouble[next++] : Reply{};
  });
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.requests(), trouble.size() + 1);
  EXPECT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 1U);
  EXPECT_EQ(row().last_error(), "");
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(ForwarderTest, TakesNoLoginPageForAnAcknowledgement) {
  upstream.answer_with(testing::portal_page());
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(3));
  EXPECT_EQ(status().forwarded, 0U);
  EXPECT_TRUE(soon([&] { return status().last_error.find("captive portal") != std::string::npos; }));
  EXPECT_EQ(status().state, DestinationState::retrying);
}

TEST_F(ForwarderTest, TakesAnEmptyBodyForAnAcknowledgement) {
  upstream.answer_with({.content_type = "", .no_body = true});
  post();
  start();
  EXPECT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 1U);
}

TEST_F(ForwarderTest, SaysThatItFollowsNoRedirects) {
  FakeUpstream elsewhere;
  upstream.answer_with({.status = 301, .headers = {{"Location", elsewhere.url() + "/x"}}});
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(2));
  EXPECT_TRUE(soon([&] { return status().last_error.find("redirects are not followed") != std::string::npos; }));
  EXPECT_EQ(elsewhere.requests(), 0U);
}

TEST_F(ForwarderTest, GivesUpAStalledAnswerButNotASlowOne) {
  upstream.answer([next = 0](const Received&) mutable {
    Reply reply;
    if (next++ == 0) reply.way = Reply::Way::stall;
    return reply;
  });
  post();
  start();
  EXPECT_TRUE(upstream.wait_for_accepted(1, 15s));
  EXPECT_TRUE(all_written());
}

TEST_F(ForwarderTest, PutsWhatIsRefusedForItselfInQuarantineAndGoesOn) {
  upstream.answer([](const Received& received) {
    if (received.event_id == event_id(2)) return Reply{.status = 400, .body = R"({"detail":"bad \u0000 event"})"};
    if (received.event_id == event_id(3)) return Reply{.status = 413, .body = "too \xff\x01 big", .content_type = "text/plain"};
    if (received.event_id == event_id(4)) return Reply{.status = 422, .body = std::string(5'000, 'x')};
    return Reply{};
  });
  post_many(5);
  start();
  ASSERT_TRUE(all_written());
  const auto rows = quarantine();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].sequence(), 2U);
  EXPECT_EQ(rows[0].status(), 400U);
  EXPECT_NE(rows[0].answer().find("bad"), std::string::npos);
  EXPECT_EQ(rows[1].answer(), "too ?  big");
  EXPECT_EQ(rows[2].answer().size(), 1'000U);
  EXPECT_EQ(row().forwarded(), 2U);
  EXPECT_EQ(row().quarantined(), 3U);
  EXPECT_EQ(items(), (std::map<std::pair<int, int>, std::uint64_t>{{{error_category, 1}, 2}, {{error_category, 2}, 3}}));
}

TEST_F(ForwarderTest, FallsBackToGzipAndThenToIdentityOn415AndRemembersIt) {
  upstream.answer([](const Received& received) {
    return received.coding.empty() ? Reply{} : Reply{.status = 415};
  });
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  post();
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  std::vector<std::string> codings;
  for (const Received& received : upstream.received()) codings.push_back(received.coding);
  EXPECT_EQ(codings, (std::vector<std::string>{"zstd", "gzip", "", ""}));
}

TEST_F(ForwarderTest, SendsBrotliWhereToldToAndGzipToThoseThatDoNotReadIt) {
  upstream.answer([](const Received& received) { return received.path.find("/42/") != std::string::npos ? Reply{} : Reply{.status = received.coding == "gzip" ? 200U : 415U}; });
  auto reads = destination(upstream, "reads");
  auto plain = destination(upstream, "plain");
  plain.dsn = upstream.dsn(43);
  reads.compression = plain.compression = "br";
  reads.compression_level = 11;
  post();
  start({reads, plain});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  std::multiset<std::string> codings;
  for (const Received& received : upstream.received()) codings.insert(std::to_string(received.project) + " " + received.coding);
  EXPECT_EQ(codings, (std::multiset<std::string>{"42 br", "43 br", "43 gzip"}));
  for (const Received& received : upstream.received()) EXPECT_NE(received.envelope.find(event_id(1)), std::string::npos);
}

TEST_F(ForwarderTest, QuarantinesWhatIsUnsupportedEvenUncompressed) {
  upstream.answer_with({.status = 415});
  post();
  start();
  ASSERT_TRUE(all_written());
  EXPECT_EQ(quarantine().size(), 1U);
  EXPECT_EQ(upstream.requests(), 3U);
}

TEST_F(ForwarderTest, PutsDamagedAndUnreadableRecordsInQuarantine) {
  post_many(4);
  journal.damage(2);
  auto broken = make_record({.id = event_id(5)}, clock.now());
  broken.body = std::string(broken.body.view().substr(0, broken.body.size() / 2));
  journal.append(broken);
  start();
  ASSERT_TRUE(all_written());
  const auto rows = quarantine();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].sequence(), 2U);
  EXPECT_EQ(rows[0].status(), 0U);
  EXPECT_EQ(rows[0].answer(), "damaged in the journal");
  EXPECT_EQ(rows[1].sequence(), 5U);
  EXPECT_EQ(row().forwarded(), 3U);
}

TEST_F(ForwarderTest, WhatWasDroppedForWantOfRoomExpiresItemByItem) {
  post();
  auto dropped = make_record({.id = event_id(7), .types = {"transaction", "profile"}, .described = true}, clock.now());
  dropped.flags = buffer::record_dropped;
  dropped.body = std::string();
  journal.append(dropped);
  post();
  start();
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 2U);
  EXPECT_EQ(row().expired(), 1U);
  constexpr int transaction = 2;
  constexpr int profile = 6;
  constexpr int expired = 3;
  EXPECT_EQ(items().at({transaction, expired}), 1U);
  EXPECT_EQ(items().at({profile, expired}), 1U);
  EXPECT_EQ(upstream.accepted(), 2U);
}

TEST_F(ForwarderTest, PassesRecordsThatAreNoEnvelopes) {
  post();
  buffer::Record outcomes;
  outcomes.kind = buffer::RecordKind::outcomes;
  journal.append(outcomes);
  post();
  start();
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 2U);
  EXPECT_EQ(status().depth, 0U);
}

TEST_F(ForwarderTest, LetsNoLineBreakFromAnSdkIntoAHeader) {
  auto record = make_record({.id = event_id(1)}, clock.now());
  schema::IntakeMeta meta;
  meta.set_client("evil/1\r\nX-Injected: 1, sentry_secret=a");
  meta.set_user_agent("a\r\nX-Injected: 2");
  meta.set_origin("http://o\r\n\r\nGET / HTTP/1.1");
  record.meta = meta.SerializeAsString();
  journal.append(record);
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  const auto received = upstream.received();
  EXPECT_EQ(received[0].find_header("X-Injected"), "");
  EXPECT_EQ(received[0].client, "evil/1X-Injected:1sentry_secret=a");
  EXPECT_EQ(upstream.requests(), 1U);
}

TEST_F(ForwarderTest, SetsAsideAnEnvelopeThatTheUpstreamAloneCannotStand) {
  upstream.answer([](const Received& received) {
    return received.event_id == event_id(1) ? Reply{.status = 500} : Reply{};
  });
  post_many(600);
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(599)) << describe();
  ASSERT_TRUE(soon([&] { return cursor() == 601; }));
  EXPECT_EQ(row().deferred_size(), 1);
  EXPECT_TRUE(soon([&] { return status().depth == 1U; }));
  upstream.answer_with({});
  // In steps: a refusal that is on its way now is put off from when it is read.
  ASSERT_TRUE(soon([&] {
    clock.advance(1min);
    return cursor() == journal.use().next && row().deferred_size() == 0;
  })) << describe();
  EXPECT_EQ(row().forwarded(), 600U);
}

TEST_F(ForwarderTest, LetsOthersGoAlthoughOneAloneFailsForEverWithNothingElseToShowItIsWell) {
  upstream.answer([](const Received& received) {
    return received.event_id == event_id(1) ? Reply{.status = 500} : Reply{};
  });
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_requests(5));
  post();
  EXPECT_TRUE(upstream.wait_for_accepted(1));
}

TEST_F(ForwarderTest, ReusesConnections) {
  post_many(500);
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(500)) << describe();
  EXPECT_LE(upstream.connections(), 64U);
}

TEST_F(ForwarderTest, StartsANewDestinationWithTheNextRecordWhenToldNotToBackfill) {
  post_many(3);
  auto config = destination(upstream);
  config.backfill = false;
  start({config});
  ASSERT_TRUE(soon([&] { return cursor() == 4; }));
  post();
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received()[0].event_id, event_id(4));
}

// Whoever of its threads serves them; one that is down is nobody's business but its own.
TEST_F(ForwarderTest, ServesManyDestinationsAndTellsOfThemInTheirOrder) {
  constexpr std::size_t many = 7;
  constexpr std::size_t down = 3;
  std::vector<std::unique_ptr<FakeUpstream>> upstreams;
  std::vector<DestinationConfig> configs;
  for (std::size_t i = 0; i < many; ++i) {
    upstreams.push_back(std::make_unique<FakeUpstream>());
    configs.push_back(destination(*upstreams.back(), "d" + std::to_string(many - i)));
  }
  upstreams[down]->answer_with({.status = 503});
  post_many(40);
  start(configs);
  for (std::size_t i = 0; i < many; ++i) {
    const auto& name = configs[i].name;
    if (i == down) continue;
    EXPECT_TRUE(all_written(name)) << name;
    const auto ids = upstreams[i]->accepted_ids();
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 40U) << name;
  }
  const auto told = forwarder->status();
  ASSERT_EQ(told.size(), many);
  for (std::size_t i = 0; i < many; ++i) {
    EXPECT_EQ(told[i].name, configs[i].name);
    EXPECT_TRUE(soon([&] { return status(configs[i].name).depth == (i == down ? 40U : 0U); })) << told[i].name;
  }
  EXPECT_EQ(status(configs[down].name).state, DestinationState::retrying);
  upstreams[down]->answer_with({});
  EXPECT_TRUE(all_written(configs[down].name));
}

TEST_F(ForwarderTest, WritesMetricsForEveryDestination) {
  post();
  start();
  ASSERT_TRUE(all_written());
  ASSERT_TRUE(soon([&] { return status().forwarded == 1; }));
  std::string text;
  forwarder->add_metrics(text);
  EXPECT_NE(text.find("picket_upstream_forwarded_envelopes_total{destination=\"hub\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("picket_upstream_waiting_records{destination=\"hub\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find("picket_upstream_state{destination=\"hub\",state=\"running\"} 1\n"), std::string::npos);
}

}  // namespace
}  // namespace picket::upstream

#include "forwarder_fixture.h"

#include "buffer/stamp.h"
#include "upstream/parcel.h"

#include <cstdlib>
#include <set>

namespace picket::upstream {
namespace {

TEST_F(ForwarderTest, GoesThroughTheProxyThatItIsGiven) {
  auto config = destination(upstream);
  config.dsn = "http://abababababababababababababababab@sentry.invalid/3";
  config.proxy = upstream.url();
  post();
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received()[0].path, "http://sentry.invalid/api/3/envelope/");
}

TEST_F(ForwarderTest, IgnoresProxiesOfTheEnvironment) {
  FakeUpstream stranger;
  ::setenv("http_proxy", stranger.url().c_str(), 1);
  ::setenv("all_proxy", stranger.url().c_str(), 1);
  post();
  start();
  EXPECT_TRUE(upstream.wait_for_accepted(1));
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
  EXPECT_EQ(stranger.requests(), 0U);
}

TEST_F(ForwarderTest, HoldsWhenTheProxyWantsAPassword) {
  upstream.answer_with({.status = 407});
  auto config = destination(upstream);
  config.dsn = "http://abababababababababababababababab@sentry.invalid/3";
  config.proxy = upstream.url();
  post();
  start({config});
  ASSERT_TRUE(soon([&] { return row().held_reason().find("407") != std::string::npos; }));
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(ForwarderTest, SaysWhenAHostIsNotToBeFound) {
  auto config = destination(upstream);
  config.dsn = "http://abababababababababababababababab@no-such-host.invalid/3";
  post();
  start({config, destination(upstream, "well")});
  EXPECT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_TRUE(soon([&] { return status().last_error.find("no-such-host.invalid") != std::string::npos; }));
}

TEST_F(ForwarderTest, TakesARefusalForAnAnswerAlsoWhenTheConnectionBreaksOverIt) {
  upstream.answer_with({.status = 413, .body = std::string(2'000, 'x'), .way = Reply::Way::cut});
  post();
  start();
  ASSERT_TRUE(all_written());
  ASSERT_EQ(quarantine().size(), 1U);
  EXPECT_EQ(quarantine()[0].status(), 413U);
}

TEST_F(ForwarderTest, ReadsNoAnswerWithoutEnd) {
  upstream.answer([next = 0](const Received&) mutable {
    return next++ == 0 ? Reply{.body = "{" + std::string(std::size_t{3} << 20, ' ')} : Reply{};
  });
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  ASSERT_TRUE(all_written());
  EXPECT_EQ(row().forwarded(), 1U);
}

TEST_F(ForwarderTest, SendsALargeEnvelopeInOnePiece) {
  auto record = make_record({.id = event_id(1)}, clock.now());
  std::string payload;
  for (std::uint64_t i = 0; payload.size() < 12'000'000; ++i) payload += std::to_string(i * 7919);
  const std::string text = "{\"event_id\":\"" + event_id(1) + "\"}\n{\"type\":\"attachment\",\"length\":" +
                           std::to_string(payload.size()) + "}\n" + payload;
  record.coding = 0;
  record.body = text;
  journal.append(record);
  post();
  start();
  ASSERT_TRUE(upstream.wait_for_accepted(2, 30s));
  const auto received = upstream.received();
  EXPECT_TRUE(received[0].envelope == text);
}

RecordOptions as_intake_keeps_it(std::uint64_t number) {
  return {.sent_at = "2026-11-01T12:00:00.000Z", .id = event_id(number), .described = true};
}

DestinationConfig same_ids(const FakeUpstream& upstream, DestinationConfig config) {
  config.dsn.clear();
  config.url = upstream.url();
  return config;
}

TEST_F(ForwarderTest, SendsWhatNeedsNoChangeAsItIsStored) {
  post(as_intake_keeps_it(1));
  start({same_ids(upstream, destination(upstream))});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  const auto received = upstream.received()[0];
  EXPECT_EQ(received.coding, "gzip");
  EXPECT_EQ(received.body_bytes, make_record(as_intake_keeps_it(1), clock.now()).body.size());
  EXPECT_EQ(received.envelope, envelope_text(as_intake_keeps_it(1)));
}

TEST_F(ForwarderTest, MovesSentAtOnOnceItHasBeenHereForASecond) {
  post(as_intake_keeps_it(1));
  clock.advance(1s);
  start({same_ids(upstream, destination(upstream))});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received()[0].coding, "zstd");
  EXPECT_NE(upstream.received()[0].envelope.find("\"sent_at\":\"2026-11-01T12:00:01.000Z\""), std::string::npos);
}

TEST_F(ForwarderTest, NamesAnotherKeyAndMeansItAlsoInWhatIsStored) {
  post(as_intake_keeps_it(1));
  start();  // a DSN with a key of its own
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received()[0].coding, "zstd");
  EXPECT_NE(upstream.received()[0].key, local_key);
}

TEST_F(ForwarderTest, CompressesAnewWhereBytesMatterMore) {
  post(as_intake_keeps_it(1));
  auto config = same_ids(upstream, destination(upstream));
  config.compression_level = 3;
  start({config});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received()[0].coding, "zstd");
}

TEST_F(ForwarderTest, AsksOnceForACompressionThatCameInAndIsNotTaken) {
  upstream.answer([](const Received& received) {
    return received.coding == "gzip" ? Reply{.status = 415} : Reply{};
  });
  post(as_intake_keeps_it(1));
  start({same_ids(upstream, destination(upstream))});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.requests(), 2U);
  post(as_intake_keeps_it(2));
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  EXPECT_EQ(upstream.requests(), 3U);
  EXPECT_TRUE(quarantine().empty());
}

TEST_F(ForwarderTest, SaysWhatAnEnvelopeHasComeThroughAndSendsNoneASecondTime) {
  const auto post_through = [&](const std::string& via) {
    auto record = make_record({.id = event_id(++posted)}, clock.now());
    schema::IntakeMeta meta;
    ASSERT_TRUE(meta.ParseFromString(std::string(record.meta)));
    meta.set_via(via);
    record.meta = meta.SerializeAsString();
    journal.append(std::move(record));
  };
  start();
  const auto instance = buffer::find_instance(tables->snapshot());
  ASSERT_EQ(instance.size(), 16U);
  post_through("0123456789abcdef");
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  EXPECT_EQ(upstream.received().front().find_header("X-Picket-Via"), "0123456789abcdef " + instance);
  post_through("0123456789abcdef " + instance + " fedcba9876543210");
  ASSERT_TRUE(soon([&] { return quarantine().size() == 1; }));
  EXPECT_NE(quarantine().front().answer().find("circle"), std::string::npos);
  post_through("");
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  EXPECT_EQ(upstream.received().back().find_header("X-Picket-Via"), instance);
  EXPECT_EQ(upstream.requests(), 2U);
}

TEST_F(ForwarderTest, CallsWhatHasNoEventIdTheSameAtEachAttempt) {
  std::atomic<int> failures{2};
  upstream.answer([&](const Received&) { return Reply{.status = failures-- > 0 ? 503U : 200U}; });
  start();
  post({.types = {"session"}});
  ASSERT_TRUE(upstream.wait_for_accepted(1));
  post({.types = {"session"}});
  ASSERT_TRUE(upstream.wait_for_accepted(2));
  post({.id = event_id(++posted)});
  ASSERT_TRUE(upstream.wait_for_accepted(3));
  const auto received = upstream.received();
  ASSERT_EQ(received.size(), 5U);
  const std::string name(received[0].find_header("X-Picket-Record"));
  EXPECT_TRUE(relay::parse_event_id(name)) << name;
  EXPECT_EQ(received[1].find_header("X-Picket-Record"), name);
  EXPECT_EQ(received[2].find_header("X-Picket-Record"), name);
  EXPECT_TRUE(relay::parse_event_id(received[3].find_header("X-Picket-Record")));
  EXPECT_NE(received[3].find_header("X-Picket-Record"), name);
  EXPECT_EQ(received[4].find_header("X-Picket-Record"), "") << "an event has an id";
}

class RecordId : public ::testing::Test {
 protected:
  // Of a session in record 5 of Picket "a", and as it is after `change`.
  std::string first() const { return after([](Parcel&) {}); }
  template <class Change>
  std::string after(const Change& change, std::string_view instance = "a") const {
    Parcel parcel;
    parcel.label.sequence = 5;
    parcel.label.received = time_from_ms(1'700'000'000'000);
    parcel.label.counts = {{relay::DataCategory::session, 1}};
    parcel.meta.set_user_agent("sdk");
    parcel.key = "0123456789abcdef";
    change(parcel);
    give_record_id(parcel, instance);
    return parcel.record_id;
  }
};

TEST_F(RecordId, IsTheSameOfTheSameAndOfNothingElse) {
  EXPECT_EQ(first().size(), 32U);
  EXPECT_EQ(after([](Parcel& parcel) { parcel.via = "another way"; }), first());
  std::set<std::string> all{first(), after([](Parcel&) {}, "b")};
  all.insert(after([](Parcel& parcel) { parcel.label.sequence = 6; }));
  all.insert(after([](Parcel& parcel) { parcel.label.received += Duration(1); }));
  all.insert(after([](Parcel& parcel) { parcel.key = "fedcba9876543210"; }));
  all.insert(after([](Parcel& parcel) { parcel.meta.set_user_agent("other"); }));
  all.insert(after([](Parcel& parcel) { parcel.kept = {true, false}; }));
  all.insert(after([](Parcel& parcel) { parcel.kept = {false, true}; }));
  EXPECT_EQ(all.size(), 8U);
}

TEST_F(RecordId, IsThatOfWhoHadItFirst) {
  const auto of_another = [](Parcel& parcel) { parcel.meta.set_record_id("0123456789abcdef"); };
  EXPECT_EQ(after(of_another), "30313233343536373839616263646566");
  // A part of it is called alike by whoever sends it, from whichever record.
  const auto part = [&](std::uint64_t sequence) {
    return [=](Parcel& parcel) {
      of_another(parcel);
      parcel.label.sequence = sequence;
      parcel.kept = {true, false};
    };
  };
  EXPECT_EQ(after(part(5)), after(part(9), "b"));
  EXPECT_NE(after(part(5)), after(of_another));
}

TEST_F(RecordId, IsNotNeededWhereEventsHaveOne) {
  const auto with_event_id = [](std::vector<ItemCount> counts) {
    return [counts = std::move(counts)](Parcel& parcel) {
      parcel.meta.set_event_id("0123456789abcdef");
      parcel.label.counts = counts;
    };
  };
  EXPECT_EQ(after(with_event_id({{relay::DataCategory::error, 1}, {relay::DataCategory::attachment, 9}})), "");
  EXPECT_EQ(after(with_event_id({{relay::DataCategory::transaction, 1}})), "");
  EXPECT_NE(after(with_event_id({{relay::DataCategory::error, 1}, {relay::DataCategory::session, 1}})), "");
  EXPECT_NE(after([](Parcel& parcel) { parcel.label.counts = {{relay::DataCategory::attachment, 1}}; }), "");
}

}  // namespace
}  // namespace picket::upstream

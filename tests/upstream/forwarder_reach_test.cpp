// A destination that nothing connects to, for longer than any pause of the back-off, and back again.
#include "relay/protocol/relay_identity.h"
#include "support/swallower.h"
#include "upstream/forwarder_fixture.h"

#include <fstream>
#include <memory>
#include <string>

namespace picket::upstream {
namespace {

class ForwarderReachTest : public ForwarderTest {
 protected:
  DestinationConfig far_away(std::uint16_t port) {
    auto config = destination(upstream);
    config.dsn = "http://" + std::string(32, 'a') + "@127.0.0.1:" + std::to_string(port) + "/42";
    // By the back-off alone the first request would come within an hour, at some time.
    config.retry_min = 1h;
    config.retry_max = 1h;
    config.probe_every = 50ms;
    config.max_in_flight = 1;
    return config;
  }
  DestinationConfig as_relay(DestinationConfig config) {
    config.relay_credentials_file = (folder / "credentials.json").string();
    std::ofstream(config.relay_credentials_file) << relay::RelayIdentity::generate().render();
    return config;
  }
  // What a registration, a question about projects and an envelope can all be answered.
  const Reply relay_upstream{.body = R"({"token":"t","configs":{")" + std::string(32, 'a') + R"(":{}}})"};
  template <class Condition>
  bool until(Condition condition) const {
    for (int i = 0; i < 3'000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
};

TEST_F(ForwarderReachTest, WhatWaitsGoesWhenAConnectionCanBeMadeAgain) {
  const auto port = std::make_unique<testing::Swallower>()->port();
  post_many(3);
  start({far_away(port)});
  ASSERT_TRUE(until([&] { return status().failures > 0; })) << describe();
  EXPECT_EQ(status().state, DestinationState::retrying);
  FakeUpstream back({.port = port});
  EXPECT_TRUE(back.wait_for_accepted(3)) << describe();
  EXPECT_TRUE(until([&] { return status().forwarded == 3; })) << describe();
  EXPECT_EQ(back.requests(), 3U);
}

TEST_F(ForwarderReachTest, ARequestThatStillAsksForItsConnectionIsSentAnew) {
  testing::Swallower silence;
  silence.swallow();
  post_many(3);
  auto config = far_away(silence.port());
  config.connect_timeout = 1h;
  start({config});
  ASSERT_TRUE(until([&] { return status().in_flight == 1; })) << describe();
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(status().failures, 0U);
  silence.end();
  FakeUpstream back({.port = silence.port()});
  EXPECT_TRUE(back.wait_for_accepted(3, 60s)) << describe();
  EXPECT_TRUE(until([&] { return status().forwarded == 3; })) << describe();
  EXPECT_EQ(back.requests(), 3U);
  EXPECT_GE(back.connections(), 2U) << "nobody asked but the request itself";
}

TEST_F(ForwarderReachTest, ARelayRegistersWhenAConnectionCanBeMadeAgain) {
  const auto port = std::make_unique<testing::Swallower>()->port();
  post();
  start({as_relay(far_away(port))});
  ASSERT_TRUE(until([&] { return status().failures > 0; })) << describe();
  EXPECT_EQ(status().state, DestinationState::retrying);
  FakeUpstream back({.port = port});
  back.answer_with(relay_upstream);
  EXPECT_TRUE(until([&] { return status().forwarded == 1; })) << describe();
}

TEST_F(ForwarderReachTest, ARegistrationThatStillAsksForItsConnectionIsBegunAnew) {
  testing::Swallower silence;
  silence.swallow();
  post();
  auto config = as_relay(far_away(silence.port()));
  config.connect_timeout = 1h;
  start({config});
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(status().failures, 0U);
  silence.end();
  FakeUpstream back({.port = silence.port()});
  back.answer_with(relay_upstream);
  EXPECT_TRUE(until([&] { return status().forwarded == 1; })) << describe();
}

TEST_F(ForwarderReachTest, AnUpstreamThatAnswersBadlyIsLeftToTheBackOff) {
  upstream.answer_with({.status = 503});
  post();
  auto config = far_away(upstream.port());
  start({config});
  ASSERT_TRUE(until([&] { return status().failures > 0; })) << describe();
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(upstream.requests(), 1U);
  EXPECT_EQ(upstream.connections(), 1U);
}

TEST_F(ForwarderReachTest, NobodyAsksWhenTheOperatorPausedOrTurnedItOff) {
  const auto port = std::make_unique<testing::Swallower>()->port();
  post();
  auto quiet = far_away(port);
  quiet.probe_every = 0ms;
  auto paused = far_away(port);
  paused.name = "paused";
  start({quiet, paused});
  ASSERT_TRUE(until([&] { return status().failures > 0 && status("paused").failures > 0; })) << describe();
  change_row([](schema::Destination& changed) { changed.set_paused(true); }, "paused");
  ASSERT_TRUE(until([&] { return status("paused").state == DestinationState::paused; }));
  FakeUpstream back({.port = port});
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(back.connections(), 0U);
}

}  // namespace
}  // namespace picket::upstream

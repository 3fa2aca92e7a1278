// A destination that nothing connects to, for longer than any pause of the back-off, and back again.
#include "upstream/forwarder_fixture.h"

#include "relay/protocol/relay_identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

// A port of this machine. It listens and never accepts: when its queue is full the kernel swallows what asks for
// a connection, as a link that is down does.
class Swallower {
 public:
  Swallower() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
  }
  ~Swallower() { end(); }
  Swallower(const Swallower&) = delete;
  Swallower& operator=(const Swallower&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }
  void swallow() {
    ASSERT_EQ(::listen(listener_, 0), 0);
    for (int i = 0; i < 4; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(client, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
      clients_.push_back(client);
    }
  }
  void end() {
    for (const int client : clients_) ::close(client);
    clients_.clear();
    if (listener_ >= 0) ::close(listener_);
    listener_ = -1;
  }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  std::vector<int> clients_;
};

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
  const auto port = std::make_unique<Swallower>()->port();
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
  Swallower silence;
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
  const auto port = std::make_unique<Swallower>()->port();
  post();
  start({as_relay(far_away(port))});
  ASSERT_TRUE(until([&] { return status().failures > 0; })) << describe();
  EXPECT_EQ(status().state, DestinationState::retrying);
  FakeUpstream back({.port = port});
  back.answer_with(relay_upstream);
  EXPECT_TRUE(until([&] { return status().forwarded == 1; })) << describe();
}

TEST_F(ForwarderReachTest, ARegistrationThatStillAsksForItsConnectionIsBegunAnew) {
  Swallower silence;
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
  const auto port = std::make_unique<Swallower>()->port();
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

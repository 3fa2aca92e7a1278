// A destination that asks for a registered Relay.
#include "upstream/forwarder_fixture.h"

#include "relay/protocol/relay_identity.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

class ForwarderRelayTest : public ForwarderTest {
 protected:
  ForwarderRelayTest() {
    std::ofstream(folder / "credentials.json") << identity.render();
    upstream.answer([this](const Received& received) { return answer(received); });
  }
  // What answers looks at members of this.
  ~ForwarderRelayTest() override {
    forwarder.reset();
    upstream.answer_with({});
  }

  DestinationConfig managed() {
    auto config = destination(upstream);
    config.relay_credentials_file = (folder / "credentials.json").string();
    config.hold_probe = 20ms;
    return config;
  }
  DestinationConfig managed_by_url() {
    auto config = managed();
    config.dsn.clear();
    config.url = upstream.url();
    return config;
  }

  // As a Sentry that knows its Relays answers; the envelope's own answer is the test's.
  Reply answer(const Received& received) {
    if (received.path.ends_with("/challenge/")) return {.status = challenge_status, .body = challenge_status == 200 ? R"({"token":"t"})" : challenge_body};
    if (received.path.ends_with("/response/")) {
      registered = true;
      return {.body = R"({"relay_id":"x"})"};
    }
    if (!registered) return {.status = 401, .body = R"({"detail":"unknown relay"})"};
    if (received.path.starts_with("/api/0/relays/projectconfigs/")) {
      const std::lock_guard lock(mutex);
      return answer_about_projects;
    }
    // Late, so that others have fared well in between.
    if (received.key == refused_key) return {.status = 403, .delay = 200ms};
    return {.status = envelope_status};
  }
  void tell(std::string of_local_key) {
    const std::lock_guard lock(mutex);
    answer_about_projects.body = R"({"configs":{")" + std::string(local_key) + "\":" + of_local_key + R"(,")" + dsn_key + R"(":{},")" + refused_key + R"(":{}}})";
  }

  std::vector<Received> to(std::string_view part) const {
    auto all = upstream.received();
    std::erase_if(all, [&](const Received& received) { return received.path.find(part) == std::string::npos; });
    return all;
  }
  std::vector<std::string> delivered() const {
    std::vector<std::string> ids;
    for (const auto& received : to("/envelope/")) {
      if (received.status == 200) ids.push_back(received.event_id);
    }
    return ids;
  }

  const std::string dsn_key = "abababababababababababababababab";
  const relay::RelayIdentity identity = relay::RelayIdentity::generate();
  std::atomic<bool> registered{false};
  std::atomic<unsigned> challenge_status{200};
  std::atomic<unsigned> envelope_status{200};
  const std::string refused_key = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
  std::string challenge_body = R"({"detail":"Relay is not allowed to register"})";
  std::mutex mutex;
  Reply answer_about_projects{.body = R"({"configs":{"abababababababababababababababab":{},"0123456789abcdef0123456789abcdef":{}}})"};  // guarded by mutex
};

TEST_F(ForwarderRelayTest, NothingGoesBeforeItIsRegisteredAndAllOfItIsSigned) {
  challenge_status = 503;
  start({managed()});
  post_many(2);
  ASSERT_TRUE(soon([&] { return status().failures > 0; })) << describe();
  EXPECT_EQ(status().state, DestinationState::retrying);
  EXPECT_NE(status().last_error.find("not registered as a Relay: answer 503"), std::string::npos) << status().last_error;
  EXPECT_FALSE(status().registered);
  challenge_status = 200;
  ASSERT_TRUE(soon([&] { return delivered().size() == 2; })) << describe();
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_TRUE(status().registered);
  EXPECT_EQ(status().last_error, "");

  for (const auto& received : upstream.received()) EXPECT_EQ(received.find_header("X-Sentry-Relay-Id"), identity.id());
  for (const auto& received : to("/relays/")) {
    EXPECT_EQ(received.find_header("X-Sentry-Relay-Signature"), identity.sign(received.envelope, clock.now()));
  }
  // An envelope's signature holds nothing of its body.
  for (const auto& received : to("/envelope/")) EXPECT_EQ(received.find_header("X-Sentry-Relay-Signature"), identity.sign("", clock.now()));
  EXPECT_EQ(to("/envelope/").size(), 2U);
}

TEST_F(ForwarderRelayTest, AnOldSignatureIsNotUsedAgain) {
  start({managed()});
  post();
  ASSERT_TRUE(soon([&] { return delivered().size() == 1; })) << describe();
  clock.advance(1h);
  post();
  ASSERT_TRUE(soon([&] { return delivered().size() == 2; })) << describe();
  EXPECT_EQ(to("/envelope/").back().find_header("X-Sentry-Relay-Signature"), identity.sign("", clock.now()));
}

TEST_F(ForwarderRelayTest, WhoIsDeniedIsHeldWithTheReasonAndLosesNothing) {
  challenge_status = 403;
  start({managed()});
  post_many(3);
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::held; })) << describe();
  EXPECT_NE(status().reason.find("Relay is not allowed to register"), std::string::npos) << status().reason;
  ASSERT_TRUE(soon([&] { return row().held_reason() == status().reason; }));
  ASSERT_TRUE(upstream.wait_for_requests(3)) << "it asks again";
  EXPECT_EQ(status().depth, 3U);
  EXPECT_EQ(to("/envelope/").size(), 0U);
  challenge_status = 200;
  ASSERT_TRUE(soon([&] { return delivered().size() == 3; })) << describe();
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(status().reason, "");
  EXPECT_EQ(status().forwarded, 3U);
}

TEST_F(ForwarderRelayTest, WhoIsToldToStopWaitsForTheOperator) {
  challenge_status = 403;
  challenge_body = R"({"detail":"no","relay":"stop"})";
  start({managed()});
  post();
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::held; })) << describe();
  challenge_status = 200;
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(upstream.requests(), 1U);
  resume();
  ASSERT_TRUE(soon([&] { return delivered().size() == 1; })) << describe();
}

TEST_F(ForwarderRelayTest, AnUpstreamThatHasForgottenUsIsToldAgainAndGetsEachOnce) {
  start({managed()});
  for (int round = 0; round < 3; ++round) {
    post_many(20);
    ASSERT_TRUE(soon([&] { return delivered().size() == 20U * (static_cast<unsigned>(round) + 1); })) << describe();
    registered = false;
  }
  ASSERT_TRUE(all_written()) << describe();
  auto ids = delivered();
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_GE(status().registrations, 3U);
  EXPECT_EQ(status().quarantined, 0U);
}

// Nothing is to be mended by registering for ever.
TEST_F(ForwarderRelayTest, AKeyThatIsRefusedWhoeverAsksIsHeldAsItWouldBeWithoutARelay) {
  envelope_status = 403;
  auto config = managed();
  config.hold_probe = 1h;
  start({config});
  post();
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::held; })) << describe();
  EXPECT_EQ(to("/challenge/").size(), 2U);
  EXPECT_EQ(to("/envelope/").size(), 2U);
  envelope_status = 200;
  resume();
  ASSERT_TRUE(soon([&] { return delivered().size() == 1; })) << describe();
}

TEST_F(ForwarderRelayTest, AKeyThatIsRefusedAmongOthersThatAreNotIsHeldAndTheyGoOn) {
  auto config = managed_by_url();
  config.hold_probe = 1h;
  config.projects = {{"2", "http://" + refused_key + "@127.0.0.1:" + std::to_string(upstream.port()) + "/9"}};
  tell("{}");
  start({config});
  post_many(50);
  ASSERT_TRUE(soon([&] { return delivered().size() == 50; })) << describe();
  for (int i = 0; i < 3; ++i) post({.project = 2});
  ASSERT_TRUE(soon([&] {
    post();
    return status().state == DestinationState::held;
  })) << describe();
  EXPECT_LE(to("/challenge/").size(), 4U);
  ASSERT_TRUE(soon([&] { return delivered().size() == posted - 3; })) << describe();
  // The last refusal is 200 ms late, and the cursor passes it after that.
  EXPECT_TRUE(soon([&] { return status().deferred == 3; })) << describe();
}

TEST_F(ForwarderRelayTest, WhatIsForADisabledProjectWaitsUntilItIsNot) {
  tell(R"({"disabled":true})");
  start({managed_by_url()});
  post();
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::held; })) << describe();
  EXPECT_NE(status().reason.find("disabled"), std::string::npos);
  EXPECT_EQ(status().disabled_keys, 1U);
  EXPECT_EQ(to("/envelope/").size(), 0U);
  tell("{}");
  ASSERT_TRUE(soon([&] {
    clock.advance(20ms);
    return delivered().size() == 1;
  })) << describe();
  ASSERT_TRUE(all_written()) << describe();
  EXPECT_EQ(status().reason, "");
  EXPECT_EQ(status().quarantined, 0U);
}

TEST_F(ForwarderRelayTest, AKeyGoesToTheProjectThatItIsOfOverThere) {
  tell(R"({"disabled":false,"projectId":77})");
  start({managed_by_url()});
  post({.project = 5});
  ASSERT_TRUE(soon([&] { return delivered().size() == 1; })) << describe();
  EXPECT_EQ(to("/envelope/").front().path, "/api/77/envelope/");
}

TEST_F(ForwarderRelayTest, WhatThereIsNoConfigOfWaitsForIt) {
  {
    const std::lock_guard lock(mutex);
    answer_about_projects.body = R"({"configs":{},"pending":["abababababababababababababababab"]})";
  }
  start({managed()});
  post_many(5);
  ASSERT_TRUE(soon([&] { return to("projectconfigs").size() >= 2; })) << describe();
  EXPECT_EQ(to("/envelope/").size(), 0U);
  tell("{}");
  ASSERT_TRUE(soon([&] { return delivered().size() == 5; })) << describe();
  EXPECT_TRUE(all_written());
}

TEST_F(ForwarderRelayTest, AFileWithoutCredentialsHoldsItAndIsReadAgain) {
  std::ofstream(folder / "credentials.json") << "{\"secret_key\":\"short\"}";
  start({managed()});
  post();
  ASSERT_TRUE(soon([&] { return status().state == DestinationState::held; })) << describe();
  EXPECT_NE(status().reason.find("secret_key"), std::string::npos) << status().reason;
  EXPECT_EQ(status().reason.find("short"), std::string::npos);
  EXPECT_EQ(upstream.requests(), 0U);
  std::ofstream(folder / "credentials.json") << identity.render();
  ASSERT_TRUE(soon([&] { return delivered().size() == 1; })) << describe();
}

}  // namespace
}  // namespace picket::upstream

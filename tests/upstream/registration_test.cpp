#include "upstream/registration.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

class RegistrationTest : public ::testing::Test {
 protected:
  static Answer answered(unsigned status, std::string body = "{}") {
    Answer answer;
    answer.status = status;
    answer.content_type = "application/json";
    answer.body = std::move(body);
    return answer;
  }
  static Answer lost() {
    Answer answer;
    answer.failure = "connection refused";
    return answer;
  }
  std::string ask() {
    EXPECT_EQ(registration.due_in(now), 0ms);
    return registration.ask(identity).path;
  }
  void take(const Answer& answer) { registration.on_answered(answer, time_from_ms(1'700'000'000'000), now); }
  void become_registered() {
    ASSERT_EQ(ask(), "/api/0/relays/register/challenge/");
    take(answered(200, R"({"relay_id":"x","token":"a:b"})"));
    ASSERT_EQ(ask(), "/api/0/relays/register/response/");
    take(answered(200, R"({"relay_id":"x"})"));
    ASSERT_TRUE(registration.registered());
  }

  const relay::RelayIdentity identity = relay::RelayIdentity::generate();
  Registration registration{{.every = 10min, .retry_min = 1s, .retry_max = 1min, .hold_probe = 5min}};
  Registration::Steady::time_point now{1h};
};

TEST_F(RegistrationTest, AnswersTheChallengeWithItsToken) {
  EXPECT_FALSE(registration.registered());
  const auto question = registration.ask(identity);
  EXPECT_EQ(question.body, R"({"relay_id":")" + identity.id() + R"(","public_key":")" + identity.public_key() + R"(","version":"26.4.0"})");
  take(answered(200, R"({"relay_id":"x","token":"a:\"b"})"));
  EXPECT_FALSE(registration.registered());
  EXPECT_EQ(registration.ask(identity).body, R"({"relay_id":")" + identity.id() + R"(","token":"a:\"b","version":"26.4.0"})");
  take(answered(200));
  EXPECT_TRUE(registration.registered());
  EXPECT_EQ(registration.generation(), 1U);
}

TEST_F(RegistrationTest, RenewsItselfAndStaysRegisteredWhenTheLinkIsGoneMeanwhile) {
  become_registered();
  EXPECT_EQ(registration.due_in(now), 10min);
  now += 10min;
  ASSERT_EQ(ask(), "/api/0/relays/register/challenge/");
  take(lost());
  EXPECT_TRUE(registration.registered());
  EXPECT_EQ(registration.failure(), "connection refused");
  EXPECT_LE(registration.due_in(now), 1s);
  now += 1s;
  become_registered();
  EXPECT_EQ(registration.generation(), 2U);
  EXPECT_TRUE(registration.failure().empty());
}

TEST_F(RegistrationTest, IsRegisteredOnceWhenNeverMeansNever) {
  registration = Registration({.every = 0ms, .retry_min = 1s, .retry_max = 1min, .hold_probe = 5min});
  become_registered();
  EXPECT_EQ(registration.due_in(now), Duration::max());
}

TEST_F(RegistrationTest, WhoIsDeniedAsksAgainAfterHoldProbeAndAtOnceWhenTheOperatorResumes) {
  take(answered(403, R"({"detail":"Relay is not allowed to register"})"));
  EXPECT_NE(registration.denied().find("Relay is not allowed to register"), std::string::npos);
  EXPECT_EQ(registration.due_in(now), 5min);
  registration.hasten(now);
  EXPECT_EQ(registration.due_in(now), 5min);
  registration.resume(now);
  EXPECT_TRUE(registration.denied().empty());
  become_registered();
}

TEST_F(RegistrationTest, WhoIsAskedToStopComesAgainOnlyWhenTheOperatorSaysSo) {
  take(answered(403, R"({"detail":"gone","relay":"stop"})"));
  EXPECT_FALSE(registration.denied().empty());
  now += 24h * 365;
  EXPECT_EQ(registration.due_in(now), Duration::max());
  registration.resume(now);
  become_registered();
}

TEST_F(RegistrationTest, AnOldChallengeIsAskedForAnew) {
  ask();
  take(answered(200, R"({"token":"a"})"));
  take(answered(401, R"({"detail":"Challenge expired"})"));
  EXPECT_TRUE(registration.denied().empty());
  EXPECT_NE(registration.failure().find("Challenge expired"), std::string::npos);
  now += 1s;
  become_registered();
}

TEST_F(RegistrationTest, WaitsAsLongAsItIsAskedTo) {
  auto answer = answered(429);
  answer.retry_after = "90";
  take(answer);
  EXPECT_EQ(registration.due_in(now), 90s);
  EXPECT_TRUE(registration.denied().empty());
}

TEST_F(RegistrationTest, APageOrAnAnswerWithoutATokenIsNone) {
  auto page = answered(200, "<html>log in</html>");
  page.content_type = "text/html";
  take(page);
  EXPECT_FALSE(registration.failure().empty());
  now += 1min;
  take(answered(200, R"({"relay_id":"x"})"));
  EXPECT_NE(registration.failure().find("no token"), std::string::npos);
  EXPECT_FALSE(registration.registered());
}

// An upstream that has forgotten its Relays refuses all that is under way: one registration mends it.
TEST_F(RegistrationTest, OneRegistrationAnswersAllThatIsRefusedAtOnce) {
  become_registered();
  EXPECT_TRUE(registration.doubt(1, "{}", now));
  EXPECT_FALSE(registration.registered());
  EXPECT_TRUE(registration.doubt(1, "{}", now));
  become_registered();
  EXPECT_TRUE(registration.doubt(1, "{}", now)) << "of the old one";
  EXPECT_TRUE(registration.registered());
  EXPECT_FALSE(registration.doubt(2, "{}", now)) << "then it is the key that is refused";
  EXPECT_TRUE(registration.registered());
  registration.on_accepted();
  EXPECT_TRUE(registration.doubt(2, "{}", now));
  EXPECT_FALSE(registration.registered());
}

TEST_F(RegistrationTest, AnEnvelopeMayBeToldToStopAsWell) {
  become_registered();
  EXPECT_TRUE(registration.doubt(1, R"({"detail":"x","relay":"stop"})", now));
  EXPECT_FALSE(registration.registered());
  EXPECT_FALSE(registration.denied().empty());
  EXPECT_EQ(registration.due_in(now), Duration::max());
}

}  // namespace
}  // namespace picket::upstream

#include "relay/filter/target_rate.h"

#include "relay/filter/known_errors.h"
#include "relay/protocol/glob.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace picket::filter {
namespace {

std::string verdict(const TargetRate& target, double drawn, std::string_view more = {}, std::string_view name = "/pay") {
  const auto dsc = R"({"trace_id":"771a43a4192642f0b136d5159a501700","sample_rand":")" +
                     std::to_string(drawn) + "\"" + std::string(more) + "}";
  return make_sampling(target).judge("event", R"({"transaction":")" + std::string(name) + "\"}", dsc, Time{},
                                     [](std::uint32_t, std::uint64_t) { return false; });
}

TEST(TargetRate, OfOneHasNoRules) {
  EXPECT_TRUE(make_sampling({}).empty());
  EXPECT_FALSE(make_sampling({.rate = 0.99}).empty());
}

TEST(TargetRate, KeepsThatShareOfTraces) {
  EXPECT_EQ(verdict({.rate = 0.5}, 0.49), "");
  EXPECT_EQ(verdict({.rate = 0.5}, 0.51), "Sampled:1000");
  EXPECT_EQ(verdict({.rate = 0}, 0), "Sampled:1000");
}

TEST(TargetRate, BiasesGoBeforeTheRateUntilTheyAreSwitchedOff) {
  EXPECT_EQ(verdict({.rate = 0.1}, 0.9, R"(,"replay_id":"9ec79c33ec9942ab8353589fcb2e04dc")"), "");
  EXPECT_EQ(verdict({.rate = 0.1, .boost_replays = false}, 0.9, R"(,"replay_id":"9ec79c33ec9942ab8353589fcb2e04dc")"),
            "Sampled:1000");
  EXPECT_EQ(verdict({.rate = 0.1}, 0.9, R"(,"environment":"Local-3")"), "");
  EXPECT_EQ(verdict({.rate = 0.1, .boost_environments = false}, 0.9, R"(,"environment":"Local-3")"), "Sampled:1000");
  EXPECT_EQ(verdict({.rate = 0.5}, 0.09, {}, "GET /Healthz"), "");
  EXPECT_EQ(verdict({.rate = 0.5}, 0.11, {}, "GET /Healthz"), "Sampled:1002");
  EXPECT_EQ(verdict({.rate = 0.5, .ignore_health_checks = false}, 0.11, {}, "GET /Healthz"), "");
}

// The filter of health checks and the bias mean the same transactions.
TEST(TargetRate, HealthChecksAreThoseOfTheFilter) {
  const auto globs = relay::GlobSet::parse(health_check_globs());
  ASSERT_TRUE(globs);
  for (const std::string_view name :
       {"/health", "/health/", "GET /api/Healthz", "/up", "up", "/ping/x", "heartbeat", "/HealthCheck/x", "/checkout",
        "/api/_health", "/live/", "/alive", "/a/ready", "", "/"}) {
    EXPECT_EQ(globs->matches(name), is_health_check(name)) << name;
  }
}

TEST(TargetRate, IsTheOrganizationsUnlessProjectsHaveTheirOwn) {
  constexpr std::string_view project = R"({"targetSampleRate":0.25,"dynamicSamplingBiases":[
      {"id":"boostEnvironments","active":false},{"id":"unheardOf","active":false},{"id":"boostReplayId"},7]})";
  EXPECT_EQ(read_target_rate(project, R"({"targetSampleRate":0.75})"),
            (TargetRate{.rate = 0.75, .boost_environments = false}));
  EXPECT_EQ(read_target_rate(project, R"({"targetSampleRate":0.75,"samplingMode":"project"})").rate, 0.25);
  EXPECT_EQ(read_target_rate("{}", R"({"targetSampleRate":0.75,"samplingMode":"project"})").rate, 1);
  EXPECT_EQ(read_target_rate("", ""), TargetRate{});
  for (const std::string_view wrong : {"-1", "1.5", "\"0.5\"", "null", "1e999"}) {
    EXPECT_EQ(read_target_rate("{}", R"({"targetSampleRate":)" + std::string(wrong) + "}").rate, 1) << wrong;
  }
}

}  // namespace
}  // namespace picket::filter

#include "upstream/project_configs.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

const std::string key = std::string(32, 'a');
const std::string other = std::string(32, 'b');

class ProjectConfigsTest : public ::testing::Test {
 protected:
  bool answer(unsigned status, std::string body) {
    Answer answer;
    answer.status = status;
    answer.content_type = "application/json";
    answer.body = std::move(body);
    return configs.on_answered(answer, time_from_ms(1'700'000'000'000), now);
  }
  bool tell(const std::string& of, const std::string& config) { return answer(200, R"({"configs":{")" + of + "\":" + config + "}}"); }

  ProjectConfigs configs{{.retry_min = 1s, .retry_max = 1min, .hold_probe = 5min}};
  ProjectConfigs::Steady::time_point now{1h};
};

TEST_F(ProjectConfigsTest, AsksOnceForWhatIsLookedAt) {
  EXPECT_EQ(configs.due_in(now), Duration::max());
  EXPECT_EQ(configs.look(key, now), nullptr);
  EXPECT_EQ(configs.look(key, now), nullptr);
  EXPECT_TRUE(configs.awaits(key));
  EXPECT_EQ(configs.due_in(now), 0ms);
  EXPECT_EQ(configs.ask(), R"({"publicKeys":[")" + key + R"("],"revisions":[null],"fullConfig":false,"noCache":false,"global":false})");
  EXPECT_TRUE(tell(key, R"({"disabled":false,"projectId":42,"rev":"r1","config":{"a":[1,{"disabled":true}]}})"));
  const auto* const known = configs.look(key, now);
  ASSERT_NE(known, nullptr);
  EXPECT_FALSE(known->disabled);
  EXPECT_EQ(known->project, 42U);
  EXPECT_FALSE(configs.awaits(key));
  EXPECT_EQ(configs.due_in(now), Duration::max());
}

TEST_F(ProjectConfigsTest, AnOldOneServesUntilItsSuccessorIsHereAndIsConfirmedByItsRevision) {
  configs.look(key, now);
  configs.ask();
  tell(key, R"({"projectId":42,"rev":"r1"})");
  now += 300s;
  EXPECT_NE(configs.look(key, now), nullptr);
  EXPECT_NE(configs.ask().find(R"("revisions":["r1"])"), std::string::npos);
  configs.give_up();
  now += 24h;
  EXPECT_NE(configs.look(key, now), nullptr) << "the upstream is away, and the project was well";
  configs.ask();
  EXPECT_TRUE(answer(200, R"({"configs":{},"pending":[],"unchanged":[")" + key + R"("]})"));
  EXPECT_EQ(configs.due_in(now), Duration::max());
  EXPECT_EQ(configs.look(key, now)->project, 42U);
  now += 420s;
  EXPECT_EQ(configs.look(key, now), nullptr) << "nobody has asked for it in the meantime";
}

TEST_F(ProjectConfigsTest, WhatIsDisabledIsAskedForAgainAfterAMinute) {
  for (const char* const config : {R"({"disabled":true})", "null"}) {
    configs.look(key, now);
    configs.ask();
    EXPECT_TRUE(tell(key, config));
    ASSERT_NE(configs.look(key, now), nullptr);
    EXPECT_TRUE(configs.look(key, now)->disabled);
    EXPECT_EQ(configs.disabled(), 1U);
    now += 60s;
    EXPECT_EQ(configs.look(key, now), nullptr);
    configs.ask();
    tell(key, "{}");
    EXPECT_FALSE(configs.look(key, now)->disabled);
    EXPECT_EQ(configs.disabled(), 0U);
    now += 420s;
  }
}

TEST_F(ProjectConfigsTest, WhatIsPendingIsAskedForAtLongerAndLongerPauses) {
  configs.look(key, now);
  configs.look(other, now);
  configs.ask();
  EXPECT_TRUE(answer(200, R"({"configs":{")" + other + R"(":{}},"pending":[")" + key + R"("]})"));
  EXPECT_NE(configs.look(other, now), nullptr);
  EXPECT_EQ(configs.look(key, now), nullptr);
  EXPECT_EQ(configs.due_in(now), 100ms);
  now += 100ms;
  EXPECT_EQ(configs.ask().find(other), std::string::npos);
  answer(200, R"({"configs":{},"pending":[")" + key + R"("]})");
  EXPECT_EQ(configs.due_in(now), 200ms);
  for (int i = 0; i < 20; ++i) {
    configs.ask();
    answer(200, R"({"configs":{}})");
  }
  EXPECT_EQ(configs.due_in(now), 60s);
}

TEST_F(ProjectConfigsTest, ALinkThatIsGoneIsNoAnswerAndARefusalIsAboutWhoAsks) {
  configs.look(key, now);
  configs.ask();
  EXPECT_TRUE(answer(503, "{}"));
  EXPECT_TRUE(configs.awaits(key));
  EXPECT_FALSE(configs.failure().empty());
  EXPECT_FALSE(answer(401, "{}"));
  EXPECT_FALSE(answer(403, "{}"));
  EXPECT_TRUE(answer(200, "[]"));
  EXPECT_FALSE(configs.failure().empty());
  configs.hasten(now);
  configs.ask();
  EXPECT_TRUE(tell(key, "{}"));
  EXPECT_TRUE(configs.failure().empty());
}

TEST_F(ProjectConfigsTest, AnUpstreamWithoutThemJudgesWhatItGets) {
  configs.look(key, now);
  configs.ask();
  EXPECT_TRUE(answer(404, "{}"));
  ASSERT_NE(configs.look(key, now), nullptr);
  EXPECT_FALSE(configs.look(key, now)->disabled);
  EXPECT_EQ(configs.due_in(now), Duration::max());
  now += 5min;
  EXPECT_EQ(configs.look(key, now), nullptr);
}

TEST_F(ProjectConfigsTest, ManyKeysGoInSeveralQuestions) {
  for (int i = 100; i < 250; ++i) configs.look(std::to_string(i), now);
  std::string all = "{\"configs\":{";
  const auto first = configs.ask();
  for (int i = 100; i < 200; ++i) all += (i > 100 ? ",\"" : "\"") + std::to_string(i) + "\":{}";
  EXPECT_NE(first.find("\"199\""), std::string::npos);
  EXPECT_EQ(first.find("\"200\""), std::string::npos);
  EXPECT_TRUE(answer(200, all + "}}"));
  EXPECT_EQ(configs.due_in(now), 0ms);
  EXPECT_NE(configs.ask().find("\"200\""), std::string::npos);
}

TEST_F(ProjectConfigsTest, WhatNobodyAskedForChangesNothing) {
  configs.look(key, now);
  configs.ask();
  configs.look(other, now);
  EXPECT_TRUE(answer(200, R"({"configs":{")" + key + R"(":{},")" + other + R"(":{"disabled":true},"c":null},"unchanged":["x",5]})"));
  EXPECT_EQ(configs.look(other, now), nullptr);
  EXPECT_NE(configs.look(key, now), nullptr);
}

}  // namespace
}  // namespace picket::upstream

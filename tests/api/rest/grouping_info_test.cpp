#include "issue_fixture.h"

namespace picket::rest {
namespace {

constexpr std::string_view project = "/api/0/projects/picket/default/";

class GroupingInfo : public IssuesTest {
 protected:
  Answer info(const std::string& id) { return get(std::string(project) + "events/" + id + "/grouping-info/"); }
  Answer set(std::string_view name, std::string_view rules) {
    boost::json::object body{{std::string(name), rules}};
    return call("PUT", project, boost::json::serialize(body));
  }
  std::string hash(const std::string& id) {
    const auto event = get(std::string(project) + "events/" + id + "/");
    return text_of(event["fingerprints"].at(0));
  }
  std::string digested(std::string_view payload) {
    clock_.advance(std::chrono::seconds(1));
    auto id = receive(payload);
    digest();
    return id;
  }
  std::size_t issues() { return get("/api/0/projects/picket/default/issues/?query=").json.as_array().size(); }
};

constexpr std::string_view crash =
    R"({"exception":[{"type":"E","value":"v","stacktrace":{"frames":[
        {"module":"lib","function":"l"},{"module":"m","function":"f","in_app":true}]}}],"message":"hello"})";

TEST_F(GroupingInfo, ShowsEachVariantAndWhatCounts) {
  const auto id = digested(crash);
  const auto shown = info(id);
  ASSERT_EQ(shown.status, 200U) << shown.text;
  const auto& app = shown["app"];
  EXPECT_EQ(text_of(app.at("hash")), hash(id));
  EXPECT_EQ(app.at("type"), "component");
  EXPECT_EQ(app.at("description"), "In-app exception");
  const auto& component = app.at("component");
  EXPECT_EQ(component.at("id"), "app");
  EXPECT_EQ(component.at("contributes"), true);
  const auto& stack = component.at("values").at(0).at("values").at(0);
  EXPECT_EQ(stack.at("id"), "stacktrace");
  EXPECT_EQ(stack.at("values").at(0).at("contributes"), false);
  EXPECT_NE(stack.at("values").at(0).at("hint"), nullptr);
  EXPECT_EQ(stack.at("values").at(1).at("values").at(0).at("values").at(0), "m");
  EXPECT_EQ(shown["default"].at("hash"), nullptr);
  EXPECT_NE(shown["system"].at("hash"), app.at("hash"));
}

TEST_F(GroupingInfo, KnowsNoOtherEvents) {
  EXPECT_EQ(info(event_id_text(77)).status, 404U);
}

TEST_F(GroupingInfo, FindsAnIssueByAnyOfItsHashes) {
  digested(crash);
  digested(R"({"exception":[{"type":"E","value":"v","stacktrace":{"frames":[
      {"module":"lib","function":"l"},{"module":"m","function":"f","in_app":false}]}}]})");
  EXPECT_EQ(issues(), 1U);
}

TEST_F(GroupingInfo, FollowsAProjectsRulesFromTheNextEventOn) {
  digested(R"({"message":"disk full"})");
  ASSERT_EQ(set("fingerprintingRules", "message:*disk* -> disk title=\"Disks\"").status, 200U);
  const auto one = digested(R"({"message":"disk full"})");
  const auto two = digested(R"({"message":"no disk"})");
  EXPECT_EQ(issues(), 2U);
  EXPECT_EQ(hash(one), hash(two));
  const auto shown = info(two);
  EXPECT_EQ(shown["custom-fingerprint"].at("values"), boost::json::array{"disk"});
  EXPECT_EQ(shown["custom-fingerprint"].at("matched_rule"), "message:\"*disk*\" -> \"disk\" title=\"Disks\"");
  EXPECT_EQ(shown["default"].at("component").at("contributes"), false);
  const auto list = get("/api/0/projects/picket/default/issues/?query=");
  EXPECT_EQ(list.json.at(0).at("title"), "Disks");
  ASSERT_EQ(set("fingerprintingRules", "").status, 200U);
  digested(R"({"message":"disk full"})");
  EXPECT_EQ(issues(), 2U);
}

TEST_F(GroupingInfo, FollowsAProjectsStackTraceRules) {
  ASSERT_EQ(set("groupingEnhancements", "module:lib +app").status, 200U);
  const auto shown = info(digested(crash));
  EXPECT_EQ(shown["app"].at("hash"), nullptr);
  EXPECT_NE(shown["system"].at("hash"), nullptr);
}

TEST_F(GroupingInfo, RefusesRulesThatDoNotParseAndKeepsTheOldOnes) {
  ASSERT_EQ(set("groupingEnhancements", "module:lib +app").status, 200U);
  const auto stack = set("groupingEnhancements", "module:lib +app\nnonsense");
  EXPECT_EQ(stack.status, 400U);
  EXPECT_NE(stack.text.find("line 2, column 1"), std::string::npos) << stack.text;
  const auto fingerprint = set("fingerprintingRules", "message:x ->");
  EXPECT_EQ(fingerprint.status, 400U);
  EXPECT_NE(fingerprint.text.find("line 1, column 13"), std::string::npos) << fingerprint.text;
  const auto kept = get(project);
  EXPECT_EQ(kept["groupingEnhancements"], "module:lib +app");
  EXPECT_EQ(kept["fingerprintingRules"], "");
  EXPECT_EQ(kept["groupingConfig"], "newstyle:2023-01-11");
}

}  // namespace
}  // namespace picket::rest

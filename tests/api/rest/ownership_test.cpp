#include "issue_fixture.h"

namespace picket::rest {
namespace {

class Ownership : public IssuesTest {
 protected:
  Ownership() { ada_ = make_user("ada", 1, "member"); }
  Answer put(std::string body) { return call("PUT", project_path("ownership/"), std::move(body)); }
  Answer rules(std::string_view raw, std::string_view more = "") {
    return put("{\"raw\":" + boost::json::serialize(boost::json::string(raw)) + std::string(more) + "}");
  }
  std::uint64_t ada_ = 0;
};

TEST_F(Ownership, OfAProjectWithoutRulesIsEmpty) {
  const auto shown = get(project_path("ownership/"));
  ASSERT_EQ(shown.status, 200U) << shown.text;
  EXPECT_EQ(shown["raw"], "");
  EXPECT_EQ(shown["autoAssignment"], "Auto Assign to Issue Owner");
  EXPECT_EQ(shown["fallthrough"], true);
  EXPECT_TRUE(shown["schema"].is_null());
}

TEST_F(Ownership, RulesAreReadAndShown) {
  const auto raw = "# who does what\npath:src/checkout/* ada@example.com\n\ntags.transaction:\"/check out/:page\" ada@example.com\nsrc/x.py ada@example.com";
  const auto answer = rules(raw, R"(,"fallthrough":false,"autoAssignment":"Turn off Auto-Assignment")");
  ASSERT_EQ(answer.status, 202U) << answer.text;
  const auto shown = get(project_path("ownership/"));
  EXPECT_EQ(shown["raw"], json_text(raw));
  EXPECT_EQ(shown["fallthrough"], false);
  EXPECT_EQ(shown["autoAssignment"], "Turn off Auto-Assignment");
  const auto& list = shown["schema"].at("rules").as_array();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].at("matcher").at("type"), "path");
  EXPECT_EQ(list[0].at("owners").at(0).at("id"), json_text(std::to_string(ada_)));
  EXPECT_EQ(list[1].at("matcher").at("pattern"), "/check out/:page");
  EXPECT_EQ(list[2].at("matcher").at("pattern"), "src/x.py");
}

TEST_F(Ownership, RulesThatNobodyCanReadAreRefusedAndChangeNothing) {
  ASSERT_EQ(rules("path:a ada@example.com").status, 202U);
  for (const auto* raw : {"path:a", "path:a nobody", "path: ada@example.com", "url:x stranger@example.com", "path:a #strangers"}) {
    const auto answer = rules(raw);
    EXPECT_EQ(answer.status, 400U) << raw;
    EXPECT_TRUE(answer["raw"].is_array()) << raw;
  }
  EXPECT_EQ(text_of(rules("path:a b@x.y #t\npath:b b@x.y")["raw"].at(0)), "Invalid rule owners: b@x.y,#t");
  EXPECT_EQ(put(R"({"autoAssignment":"sometimes"})").status, 400U);
  EXPECT_EQ(put(R"({"raw":5})").status, 400U);
  EXPECT_EQ(get(project_path("ownership/"))["raw"], "path:a ada@example.com");
}

TEST_F(Ownership, EventsAreAssignedToWhomTheRulesName) {
  ASSERT_EQ(rules("path:*pay.py ada@example.com\ntags.color:red ada@example.com").status, 202U);
  const auto id = error("Alpha", R"(,"tags":{"color":"red"})");
  const auto issue = get(organization_path("issues/1/")).json;
  EXPECT_EQ(issue.at("assignedTo").at("email"), "ada@example.com");
  EXPECT_EQ(issue.at("activity").at(0).at("type"), "assigned");
  const auto owners = get(project_path("events/" + id + "/owners/"));
  EXPECT_EQ(owners["owners"].at(0).at("name"), "ada@example.com");
  EXPECT_EQ(owners["rule"].at(0), "tags.color");
  EXPECT_EQ(owners["rules"].as_array().size(), 1U);
}

TEST_F(Ownership, SuggestionsAreShownWhereNothingIsAssigned) {
  ASSERT_EQ(rules("tags.color:red ada@example.com", R"(,"autoAssignment":"Turn off Auto-Assignment")").status, 202U);
  error("Alpha", R"(,"tags":{"color":"red"})");
  const auto listed = get(organization_path("issues/?expand=owners")).json;
  EXPECT_TRUE(listed.at(0).at("assignedTo").is_null());
  EXPECT_EQ(listed.at(0).at("owners").at("type"), "ownershipRule");
  EXPECT_EQ(listed.at(0).at("owners").at("owner"), json_text("user:" + std::to_string(ada_)));
}

TEST_F(Ownership, IsFoundWithoutASlashToo) {
  EXPECT_EQ(get(project_path("ownership")).status, 200U);
}

TEST_F(Ownership, ReadersDoNotWriteRules) {
  EXPECT_EQ(call("PUT", project_path("ownership/"), R"({"raw":""})", make_token({"project:read"})).status, 403U);
  EXPECT_EQ(call("GET", project_path("ownership/"), "", make_token({"project:read"})).status, 200U);
}

}  // namespace
}  // namespace picket::rest

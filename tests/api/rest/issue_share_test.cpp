#include "issue_fixture.h"

namespace picket::rest {
namespace {

class IssueShare : public IssuesTest {
 protected:
  Answer ask(std::string_view path) {
    http::Request request;
    request.head.method = "GET";
    request.head.target = path;
    request.head.path = path;
    auto response = serve(issues_api_, request);
    Answer answer{response.status, response.headers, response.body, response.content_type, nullptr};
    if (response.content_type == "application/json" && !response.body.empty()) answer.json = boost::json::parse(response.body);
    return answer;
  }
  std::string share() {
    return text_of(call("PUT", organization_path("issues/1/"), R"({"isPublic":true})")["shareId"]);
  }
};

TEST_F(IssueShare, IsSeenWithoutAToken) {
  error("Alpha", R"(,"user":{"email":"ada@example.com"},"request":{"url":"https://x.example/?secret=1"},"breadcrumbs":[{"message":"clicked"}])");
  const auto id = share();
  ASSERT_EQ(id.size(), 32U);
  const auto answer = ask("/api/0/shared/issues/" + id + "/");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["shortId"], "DEFAULT-1");
  EXPECT_EQ(answer["latestEvent"].at("entries").at(0).at("type"), "exception");
  for (const auto* hidden : {"ada@example.com", "secret", "clicked"}) EXPECT_EQ(answer.text.find(hidden), std::string::npos) << hidden;
  EXPECT_EQ(ask(organization_path("shared/issues/" + id + "/")).status, 200U);
  EXPECT_EQ(ask("/api/0/organizations/another/shared/issues/" + id + "/").status, 404U);
}

TEST_F(IssueShare, ShowsNoVariables) {
  receive(R"({"platform":"python","exception":{"values":[{"type":"Alpha","value":"v","stacktrace":{"frames":[{"function":"f","vars":{"pin":"4711-0815"}}]}}]}})");
  digest();
  const auto answer = ask("/api/0/shared/issues/" + share() + "/");
  EXPECT_NE(answer.text.find("\"function\":\"f\""), std::string::npos);
  EXPECT_EQ(answer.text.find("4711"), std::string::npos);
}

TEST_F(IssueShare, EndsWhenTheIssueIsPrivateOrGone) {
  error("Alpha");
  const auto id = share();
  call("PUT", organization_path("issues/1/"), R"({"isPublic":false})");
  EXPECT_EQ(ask("/api/0/shared/issues/" + id + "/").status, 404U);
  const auto again = share();
  EXPECT_NE(again, id);
  EXPECT_EQ(ask("/api/0/shared/issues/" + id + "/").status, 404U);
  EXPECT_EQ(ask("/api/0/shared/issues/" + again + "/").status, 200U);
  call("DELETE", organization_path("issues/1/"));
  EXPECT_EQ(ask("/api/0/shared/issues/" + again + "/").status, 404U);
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::shares), 0U);
}

TEST_F(IssueShare, OpensNothingElse) {
  error("Alpha");
  EXPECT_EQ(ask(organization_path("issues/1/")).status, 401U);
  EXPECT_EQ(ask("/api/0/shared/issues/1/").status, 404U);
  EXPECT_EQ(ask("/api/0/shared/issues//").status, 404U);
}

}  // namespace
}  // namespace picket::rest

// Changes that another Picket tells: their stamp decides, their origin is shown.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

class IssueStamps : public IssuesTest {
 protected:
  Answer put(std::string body, std::string stamp = {}) {
    http::Request request;
    request.head.method = "PUT";
    request.head.path = request.head.target = organization_path("issues/1/");
    request.head.headers.add("Authorization", "Bearer " + token);
    if (!stamp.empty()) {
      request.head.headers.add("X-Picket-Stamp", std::move(stamp));
      request.head.headers.add("X-Picket-Sync", "1");
    }
    request.body = std::move(body);
    const auto response = serve(issues_api_, request);
    return {response.status, response.headers, response.body, response.content_type, boost::json::parse(response.body)};
  }
  std::string at(std::int64_t after_ms) { return std::to_string(to_ms(clock_.now()) + after_ms) + " afar 0 edge 7"; }
  boost::json::array activity() { return get(organization_path("issues/1/")).json.at("activity").as_array(); }
};

TEST_F(IssueStamps, DecideWhoWinsAndAreTold) {
  error("Alpha");
  EXPECT_EQ(put(R"({"status":"resolved"})").json.at("status"), "resolved");
  const auto late = put(R"({"status":"ignored","substatus":"archived_forever"})", at(-1));
  EXPECT_EQ(late.status, 200U);
  EXPECT_EQ(late.json.at("status"), "resolved");
  const auto stamp = text_of(late.json.at("picketStamps").at("status"));
  EXPECT_TRUE(stamp.starts_with(std::to_string(to_ms(clock_.now())))) << stamp;
  const auto won = put(R"({"status":"ignored","substatus":"archived_forever"})", at(1));
  EXPECT_EQ(won.json.at("status"), "ignored");
  EXPECT_EQ(text_of(won.json.at("picketStamps").at("status")), at(1));
  // The same once more changes nothing.
  put(R"({"status":"ignored","substatus":"archived_forever"})", at(1));
  const auto shown = activity();
  ASSERT_EQ(shown.size(), 3U);  // with first_seen
  EXPECT_EQ(shown.at(0).at("type"), "set_ignored");
  EXPECT_EQ(shown.at(0).at("data").at("origin"), "edge 7");
  EXPECT_FALSE(shown.at(1).at("data").as_object().contains("origin"));
}

TEST_F(IssueStamps, OfEachPartStandByThemselves) {
  error("Alpha");
  put(R"({"status":"resolved"})", at(500));
  EXPECT_EQ(put(R"({"priority":"low"})", at(100)).json.at("priority"), "low");
  EXPECT_EQ(put(R"({"assignedTo":"admin"})", at(50)).json.at("assignedTo").at("type"), "user");
  EXPECT_EQ(put(R"({"priority":"medium"})", at(99)).json.at("priority"), "low");
}

TEST_F(IssueStamps, AreShownToWhoAsksOnly) {
  error("Alpha");
  put(R"({"status":"resolved"})");
  EXPECT_FALSE(get(organization_path("issues/1/")).json.as_object().contains("picketStamps"));
  EXPECT_FALSE(get(organization_path("issues/?query=")).json.at(0).as_object().contains("picketStamps"));
}

TEST_F(IssueStamps, ThatAreNoneAreChangesMadeHere) {
  error("Alpha");
  EXPECT_EQ(put(R"({"status":"resolved"})", "tomorrow").json.at("status"), "resolved");
  EXPECT_FALSE(activity().at(0).at("data").as_object().contains("origin"));
}

}  // namespace
}  // namespace picket::rest

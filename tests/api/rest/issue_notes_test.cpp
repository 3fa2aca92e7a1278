#include "issue_fixture.h"

namespace picket::rest {
namespace {

class IssueNotes : public IssuesTest {
 protected:
  Answer write_note(std::string_view text, std::string_view with = {}) {
    return call("POST", organization_path("issues/1/comments/"), "{\"text\":\"" + std::string(text) + "\"}", with);
  }
};

TEST_F(IssueNotes, AreChangedAndTakenBackByThoseWhoWroteThem) {
  error("Alpha");
  const auto id = text_of(write_note("first")["id"]);
  const auto path = organization_path("issues/1/notes/" + id + "/");
  const auto changed = call("PUT", path, R"({"text":"second"})");
  ASSERT_EQ(changed.status, 200U) << changed.text;
  EXPECT_EQ(changed["data"].at("text"), "second");
  EXPECT_EQ(changed["id"], json_text(id));
  EXPECT_EQ(get(organization_path("issues/1/notes/")).json.at(0).at("data").at("text"), "second");
  EXPECT_EQ(call("PUT", path, R"({"text":""})").status, 400U);
  EXPECT_EQ(call("DELETE", path).status, 204U);
  EXPECT_EQ(call("DELETE", path).status, 404U);
  EXPECT_EQ(get(organization_path("issues/1/"))["numComments"], 0);
  EXPECT_EQ(get("/api/0/issues/1/comments/").json.as_array().size(), 0U);
}

TEST_F(IssueNotes, OfOthersAreLeftAlone) {
  error("Alpha");
  const auto id = text_of(write_note("mine")["id"]);
  const auto ada = make_user("ada", 1, "member");
  const auto theirs = make_token_for(ada, {"event:write"});
  EXPECT_EQ(call("PUT", organization_path("issues/1/notes/" + id + "/"), R"({"text":"theirs"})", theirs).status, 404U);
  EXPECT_EQ(call("DELETE", organization_path("issues/1/notes/" + id + "/"), "", theirs).status, 404U);
  EXPECT_EQ(call("DELETE", organization_path("issues/1/notes/x/"), "", theirs).status, 404U);
  // What else happened is no note.
  call("PUT", organization_path("issues/1/"), R"({"status":"resolved"})");
  const auto activity = text_of(get(organization_path("issues/1/activities/"))["activity"].at(0).at("id"));
  EXPECT_EQ(call("DELETE", organization_path("issues/1/notes/" + activity + "/")).status, 404U);
}

TEST_F(IssueNotes, SubscribeWhoeverWritesOne) {
  error("Alpha");
  write_note("mine");
  auto issue = get(organization_path("issues/1/")).json;
  EXPECT_EQ(issue.at("isSubscribed"), true);
  EXPECT_EQ(issue.at("subscriptionDetails").at("reason"), "commented");
  EXPECT_EQ(issue.at("participants").as_array().size(), 1U);
  // Unless they have said that they are not interested.
  call("PUT", organization_path("issues/1/"), R"({"isSubscribed":false})");
  write_note("once more");
  issue = get(organization_path("issues/1/")).json;
  EXPECT_EQ(issue.at("isSubscribed"), false);
  EXPECT_TRUE(issue.at("subscriptionDetails").is_null());
}

}  // namespace
}  // namespace picket::rest

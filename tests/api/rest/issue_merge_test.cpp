#include "api/digest/deletion.h"
#include "issue_fixture.h"

namespace picket::rest {
namespace {

class IssueMerge : public IssuesTest {
 protected:
  Answer put(std::string_view rest, std::string body) { return call("PUT", organization_path(rest), std::move(body)); }
  Answer read(std::string_view id) { return get(organization_path("issues/" + std::string(id) + "/")); }
  std::vector<std::string> hashes(std::string_view id) {
    std::vector<std::string> found;
    const auto shown = get(organization_path("issues/" + std::string(id) + "/hashes/")).json;
    for (const auto& each : shown.as_array()) found.push_back(text_of(each.at("id")));
    return found;
  }
  Titles activity(std::string_view id) {
    Titles types;
    const auto shown = read(id).json.at("activity");
    for (const auto& each : shown.as_array()) types.push_back(text_of(each.at("type")));
    return types;
  }
};

TEST_F(IssueMerge, TheLargestTakesTheOthersIn) {
  error("Alpha");
  error("Beta");
  error("Beta");
  error("Gamma");
  const auto answer = put("issues/?id=1&id=2&id=3", R"({"merge":1})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["merge"].at("parent"), "2");
  EXPECT_EQ(answer["merge"].at("children").as_array().size(), 2U);
  EXPECT_EQ(listed(""), Titles{"Beta"});
  EXPECT_EQ(read("2")["count"], "4");
  EXPECT_EQ(activity("2").front(), "merge");
  EXPECT_EQ(hashes("2").size(), 3U);
  EXPECT_EQ(get(organization_path("issues/2/events/")).json.as_array().size(), 4U);
}

TEST_F(IssueMerge, IdsAndShortIdsOfWhatWasMergedLeadToTheParent) {
  const auto event = error("Alpha");
  error("Beta");
  ASSERT_EQ(put("issues/?id=1&id=2", R"({"merge":true})")["merge"].at("parent"), "2");
  EXPECT_EQ(read("1")["id"], "2");
  EXPECT_EQ(read("DEFAULT-1")["id"], "2");
  EXPECT_EQ(get(organization_path("shortids/DEFAULT-1/"))["groupId"], "2");
  EXPECT_EQ(get(project_path("events/" + event + "/"))["groupID"], "2");
  EXPECT_EQ(get(project_path("events/" + event + "/"))["previousEventID"].is_null(), true);
  EXPECT_EQ(get(project_path("events/" + event + "/"))["nextEventID"].is_string(), true);
  error("Alpha");
  EXPECT_EQ(read("2")["count"], "3");
}

TEST_F(IssueMerge, NotesAndMarksComeAlong) {
  error("Alpha");
  error("Beta");
  call("POST", organization_path("issues/1/notes/"), R"({"text":"look"})");
  put("issues/1/", R"({"isBookmarked":true})");
  put("issues/?id=1&id=2", R"({"merge":1})");
  EXPECT_EQ(read("2")["numComments"], 1);
  EXPECT_EQ(read("2")["isBookmarked"], true);
  EXPECT_EQ(get(organization_path("issues/2/notes/")).json.as_array().size(), 1U);
}

TEST_F(IssueMerge, OnlySeveralErrorsOfOneProjectCanBeMerged) {
  error("Alpha");
  error("Beta");
  schema::Project second;
  write([&](buffer::Batch& batch) {
    second = create_project(batch, {.organization = 1, .slug = "second", .name = "Second", .platform = "", .team = 0}, clock_.now());
  });
  error("Gamma", "", second.id());
  EXPECT_EQ(put("issues/?id=1", R"({"merge":1})").status, 400U);
  EXPECT_EQ(put("issues/?id=1&id=3", R"({"merge":1})").status, 400U);
  EXPECT_EQ(put("issues/?query=", R"({"merge":1})").status, 400U);
  EXPECT_EQ(put("issues/?id=77&id=78", R"({"merge":1})").status, 204U);
  receive(R"({"type":"feedback","contexts":{"feedback":{"message":"nice"}}})", "feedback");
  digest();
  const auto refused = put("issues/?id=1&id=4", R"({"merge":1})");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.detail(), "Only error issues can be merged.");
  EXPECT_EQ(listed("query=issue.category:error").size(), 3U);
}

TEST_F(IssueMerge, MergingInACircleEndsWithOneIssue) {
  error("Alpha");
  error("Beta");
  EXPECT_EQ(put("issues/?id=1&id=2", R"({"merge":1})").status, 200U);
  // Both ids now name one issue, or none that is left.
  EXPECT_NE(put("issues/?id=2&id=1", R"({"merge":1})").status, 200U);
  EXPECT_EQ(read("1")["id"], "2");
  EXPECT_EQ(read("2")["id"], "2");
}

TEST_F(IssueMerge, TwoWhoMergeCrosswiseAtOnceLoseNothing) {
  for (const auto* type : {"Alpha", "Beta", "Gamma", "Delta"}) error(type);
  std::jthread one([&] { call("PUT", organization_path("issues/?id=1&id=2"), R"({"merge":1})"); });
  std::jthread other([&] { call("PUT", organization_path("issues/?id=2&id=3"), R"({"merge":1})"); });
  one.join();
  other.join();
  std::uint64_t events = 0;
  const auto shown = get(organization_path("issues/?query=")).json;
  for (const auto& issue : shown.as_array()) events += std::stoull(text_of(issue.at("count")));
  EXPECT_EQ(events, 4U);
}

TEST_F(IssueMerge, UnmergingGivesBackWhatWasMerged) {
  const auto event = error("Alpha");
  error("Beta");
  const auto alpha = hashes("1");
  put("issues/?id=1&id=2", R"({"merge":1})");
  ASSERT_EQ(alpha.size(), 1U);
  const auto answer = call("DELETE", organization_path("issues/2/hashes/?id=" + alpha.front()));
  ASSERT_EQ(answer.status, 202U) << answer.text;
  EXPECT_EQ(listed(""), (Titles{"Beta", "Alpha"}));
  EXPECT_EQ(read("3")["count"], "1");
  EXPECT_EQ(read("2")["count"], "1");
  EXPECT_EQ(get(project_path("events/" + event + "/"))["groupID"], "3");
  EXPECT_EQ(activity("2").front(), "unmerge_source");
  EXPECT_EQ(activity("3").front(), "unmerge_destination");
  error("Alpha");
  EXPECT_EQ(read("3")["count"], "2");
}

TEST_F(IssueMerge, UnmergingNeedsHashesOfTheIssueAndLeavesOne) {
  error("Alpha");
  error("Beta");
  const auto beta = hashes("2");
  EXPECT_EQ(call("DELETE", organization_path("issues/1/hashes/")).status, 400U);
  EXPECT_EQ(call("DELETE", organization_path("issues/1/hashes/?id=xyz")).status, 400U);
  EXPECT_EQ(call("DELETE", organization_path("issues/1/hashes/?id=" + beta.front())).status, 400U);
  EXPECT_EQ(call("DELETE", organization_path("issues/1/hashes/?id=" + hashes("1").front())).status, 400U);
  EXPECT_EQ(call("DELETE", organization_path("issues/9/hashes/?id=" + beta.front())).status, 404U);
  EXPECT_EQ(call("DELETE", "/api/0/issues/1/hashes/?id=" + beta.front(), "", make_token({"event:write"})).status, 403U);
}

TEST_F(IssueMerge, DiscardedIssuesStayAway) {
  error("Alpha");
  error("Beta");
  ASSERT_EQ(put("issues/?id=1", R"({"discard":true})").status, 204U);
  error("Alpha");
  EXPECT_EQ(listed("query="), Titles{"Beta"});
  EXPECT_EQ(read("1").status, 404U);
  const auto stones = get(project_path("tombstones/"));
  ASSERT_EQ(stones.json.as_array().size(), 1U);
  EXPECT_EQ(stones.json.at(0).at("message"), "Alpha: went wrong");
  EXPECT_EQ(stones.json.at(0).at("actor").at("id"), "1");
  const auto id = text_of(stones.json.at(0).at("id"));
  EXPECT_EQ(call("DELETE", project_path("tombstones/" + id + "/")).status, 204U);
  EXPECT_EQ(call("DELETE", project_path("tombstones/" + id + "/")).status, 404U);
  error("Alpha");
  EXPECT_EQ(listed("query="), (Titles{"Alpha", "Beta"}));
}

TEST_F(IssueMerge, AnIssueThatIsDeletedWhileItIsListedIsLeftOut) {
  for (const auto* type : {"Alpha", "Beta", "Gamma"}) error(type);
  const auto page = get(organization_path("issues/?limit=2"));
  EXPECT_EQ(titles(page), (Titles{"Gamma", "Beta"}));
  const auto link = std::string(page.headers.find("Link"));
  const auto next = link.substr(link.find("rel=\"next\""));
  const auto cursor_at = next.find("cursor=\"") + 8;
  const auto cursor = next.substr(cursor_at, next.find('"', cursor_at) - cursor_at);
  ASSERT_EQ(call("DELETE", organization_path("issues/?id=2")).status, 204U);
  EXPECT_EQ(listed("limit=2&cursor=" + cursor), Titles{"Alpha"});
  ASSERT_EQ(call("DELETE", organization_path("issues/?id=1")).status, 204U);
  EXPECT_EQ(listed("limit=2&cursor=" + cursor), Titles{});
  EXPECT_EQ(listed("group=1&group=3"), Titles{"Gamma"});
}

TEST_F(IssueMerge, ListsStayWholeWhileOthersDelete) {
  for (int i = 0; i < 40; ++i) error("Kind" + std::to_string(i));
  std::jthread deleting([&] {
    for (int id = 1; id <= 20; ++id) call("DELETE", organization_path("issues/?id=" + std::to_string(id)));
  });
  for (int i = 0; i < 20; ++i) {
    const auto shown = listed("query=");
    EXPECT_GE(shown.size(), 20U);
    EXPECT_LE(shown.size(), 40U);
  }
  deleting.join();
  EXPECT_EQ(listed("query=").size(), 20U);
}

}  // namespace
}  // namespace picket::rest

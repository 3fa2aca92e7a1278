#include "issue_fixture.h"

namespace picket::rest {
namespace {

class IssueUpdate : public IssuesTest {
 protected:
  Answer put(std::string_view rest, std::string body) { return call("PUT", organization_path(rest), std::move(body)); }
  boost::json::value read(std::string_view id) { return get(organization_path("issues/" + std::string(id) + "/")).json; }
  Titles activity(std::string_view id) {
    Titles types;
    const auto shown = read(id);
    for (const auto& each : shown.at("activity").as_array()) types.push_back(text_of(each.at("type")));
    return types;
  }
};

TEST_F(IssueUpdate, ResolvesAndReopens) {
  error("Alpha");
  const auto resolved = put("issues/1/", R"({"status":"resolved"})");
  ASSERT_EQ(resolved.status, 200U) << resolved.text;
  EXPECT_EQ(resolved["status"], "resolved");
  EXPECT_TRUE(resolved["substatus"].is_null());
  error("Alpha");
  EXPECT_EQ(read("1").at("status"), "unresolved");
  EXPECT_EQ(read("1").at("substatus"), "regressed");
  put("issues/1/", R"({"status":"unresolved"})");
  EXPECT_EQ(activity("1"), (Titles{"set_regression", "set_resolved", "first_seen"}));
}

TEST_F(IssueUpdate, ResolvesInReleases) {
  error("Alpha", R"(,"release":"1.0.0")");
  auto answer = put("issues/1/", R"({"status":"resolved","statusDetails":{"inRelease":"latest"}})");
  EXPECT_EQ(answer["statusDetails"].at("inRelease"), "1.0.0");
  error("Alpha", R"(,"release":"1.0.0")");
  EXPECT_EQ(read("1").at("status"), "resolved");
  error("Alpha", R"(,"release":"1.1.0")");
  EXPECT_EQ(read("1").at("status"), "unresolved");
  answer = put("issues/1/", R"({"status":"resolvedInNextRelease"})");
  EXPECT_EQ(answer["statusDetails"].at("inNextRelease"), true);
  EXPECT_EQ(put("issues/1/", R"({"status":"resolved","statusDetails":{"inRelease":"9.9"}})").status, 400U);
  EXPECT_EQ(put("issues/1/", R"({"status":"resolved","statusDetails":{"inCommit":{"commit":"abc"}}})").status, 400U);
  answer = put("issues/1/", R"({"status":"resolved","statusDetails":{"inCommit":{"commit":"abc","repository":"shop"}}})");
  EXPECT_EQ(answer["statusDetails"].at("inCommit").at("commit"), "abc");
}

TEST_F(IssueUpdate, IgnoresWithAndWithoutConditions) {
  error("Alpha");
  EXPECT_EQ(put("issues/1/", R"({"status":"muted"})")["substatus"], "archived_forever");
  EXPECT_EQ(put("issues/1/", R"({"status":"ignored","statusDetails":{"ignoreCount":5}})")["substatus"], "archived_until_condition_met");
  EXPECT_EQ(read("1").at("statusDetails").at("ignoreCount"), 5);
  EXPECT_EQ(put("issues/1/", R"({"status":"ignored","snoozeDuration":10})")["statusDetails"].as_object().contains("ignoreUntil"), true);
  EXPECT_EQ(put("issues/1/", R"({"substatus":"archived_until_escalating"})")["status"], "ignored");
  EXPECT_EQ(listed("query=is:archived_until_escalating"), Titles{"Alpha"});
  EXPECT_EQ(put("issues/1/", R"({"status":"resolved","substatus":"archived_forever"})").status, 400U);
}

TEST_F(IssueUpdate, AssignsMembersAndTeams) {
  error("Alpha");
  const auto organization = std::uint64_t{1};
  const auto ada = make_user("ada", organization, "member");
  auto answer = put("issues/1/", R"({"assignedTo":"ada@example.com"})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["assignedTo"].at("id"), json_text(std::to_string(ada)));
  EXPECT_EQ(listed("query=assigned:ada@example.com"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=is:unassigned"), Titles{});
  EXPECT_EQ(listed("query=assigned:me"), Titles{});
  answer = put("issues/1/", R"({"assignedTo":"user:1"})");
  EXPECT_EQ(listed("query=assigned:[me,none]"), Titles{"Alpha"});
  schema::Team team;
  write([&](buffer::Batch& batch) { team = create_team(batch, organization, "strangers", "Strangers", clock_.now()); });
  EXPECT_EQ(put("issues/1/", R"({"assignedTo":"team:)" + std::to_string(team.id()) + "\"}").status, 400U);
  write([&](buffer::Batch& batch) { batch.put(buffer::Table::team_projects, buffer::Key().u64(team.id()).u64(first.project_id), ""); });
  answer = put("issues/1/", R"({"assignedTo":"team:)" + std::to_string(team.id()) + "\"}");
  EXPECT_EQ(answer["assignedTo"].at("type"), "team");
  EXPECT_EQ(listed("query=assigned:%23strangers"), Titles{"Alpha"});
  answer = put("issues/1/", R"({"assignedTo":""})");
  EXPECT_TRUE(answer["assignedTo"].is_null());
  EXPECT_EQ(put("issues/1/", R"({"assignedTo":"nobody@example.com"})").status, 400U);
  EXPECT_EQ(put("issues/1/", R"({"assignedTo":["x"]})").status, 400U);
  EXPECT_EQ(activity("1").front(), "unassigned");
}

TEST_F(IssueUpdate, MarksBelongToTheCaller) {
  error("Alpha");
  const auto answer = put("issues/?id=1", R"({"isBookmarked":true,"isSubscribed":true,"hasSeen":true,"isPublic":true,"priority":"low"})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer["isBookmarked"], true);
  EXPECT_EQ(answer["priority"], "low");
  EXPECT_EQ(text_of(answer["shareId"]).size(), 32U);
  const auto issue = read("1");
  EXPECT_EQ(issue.at("isBookmarked"), true);
  EXPECT_EQ(issue.at("isSubscribed"), true);
  EXPECT_EQ(issue.at("hasSeen"), true);
  EXPECT_EQ(issue.at("isPublic"), true);
  EXPECT_EQ(issue.at("seenBy").as_array().size(), 1U);
  EXPECT_EQ(issue.at("participants").as_array().size(), 1U);
  EXPECT_EQ(listed("query=bookmarks:me"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=!subscribed:me"), Titles{});
  make_user("ada", 1, "member");
  const auto theirs = make_token_for(2, {"event:read"});
  EXPECT_EQ(call("GET", organization_path("issues/1/"), "", theirs)["isBookmarked"], false);
}

TEST_F(IssueUpdate, ABulkChangeEchoesWhatItDid) {
  error("Alpha");
  error("Beta");
  error("Gamma");
  const auto answer = put("issues/?id=1&id=2&id=77", R"({"status":"resolved"})");
  ASSERT_EQ(answer.status, 200U);
  EXPECT_EQ(answer["status"], "resolved");
  EXPECT_TRUE(answer["statusDetails"].as_object().empty());
  EXPECT_EQ(listed(""), Titles{"Gamma"});
  EXPECT_EQ(put("issues/?id=77", R"({"status":"resolved"})").status, 204U);
  EXPECT_EQ(put("issues/?query=error.type:Nothing", R"({"status":"resolved"})").status, 204U);
  EXPECT_EQ(put("issues/?id=x", R"({"status":"resolved"})").status, 400U);
  EXPECT_EQ(put("issues/?id=1", R"({"status":"wonderful"})").status, 400U);
  EXPECT_EQ(put("issues/?id=1", R"([1])").status, 400U);
}

TEST_F(IssueUpdate, SelectsByQueryAndByStatus) {
  error("Alpha", R"(,"tags":{"color":"red"})");
  error("Beta");
  error("Gamma");
  EXPECT_EQ(put("issues/?query=color:red", R"({"status":"resolved"})").status, 200U);
  EXPECT_EQ(listed("query=is:resolved"), Titles{"Alpha"});
  EXPECT_EQ(call("PUT", project_path("issues/?status=unresolved"), R"({"status":"ignored"})").status, 200U);
  EXPECT_EQ(listed("query=is:ignored"), (Titles{"Gamma", "Beta"}));
  EXPECT_EQ(call("PUT", project_path("issues/?status=ignored"), R"({"assignedTo":"1"})").status, 400U);
  EXPECT_EQ(call("PUT", project_path("issues/?id=1"), R"({"status":"unresolved","snoozeDuration":null})").status, 200U);
  EXPECT_EQ(listed(""), Titles{"Alpha"});
}

TEST_F(IssueUpdate, AReleaseOfOneProjectIsNotAnothers) {
  error("Alpha", R"(,"release":"1.0")");
  schema::Project second;
  write([&](buffer::Batch& batch) {
    second = create_project(batch, {.organization = 1, .slug = "second", .name = "Second", .platform = "", .team = 0}, clock_.now());
  });
  error("Beta", "", second.id());
  const auto answer = put("issues/?id=1&id=2", R"({"status":"resolvedInNextRelease"})");
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(answer.detail(), "Cannot set resolved in next release for multiple projects.");
  EXPECT_EQ(listed("query=is:resolved"), Titles{});
}

TEST_F(IssueUpdate, DigestAndPutDoNotLoseEachOthersWrites) {
  error("Alpha");
  std::jthread events([&] {
    for (int i = 0; i < 50; ++i) {
      receive(R"({"exception":[{"type":"Alpha","value":"went wrong"}]})");
      digest();
    }
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(put("issues/1/", i % 2 ? R"({"priority":"low"})" : R"({"priority":"medium"})").status, 200U);
    ASSERT_EQ(put("issues/1/", R"({"isPublic":true})").status, 200U);
  }
  events.join();
  const auto issue = read("1");
  EXPECT_EQ(issue.at("count"), "51");
  EXPECT_EQ(issue.at("priority"), "low");
  EXPECT_EQ(issue.at("isPublic"), true);
  EXPECT_EQ(activity("1").size(), 52U);
}

TEST_F(IssueUpdate, ReadersAreNotWriters) {
  error("Alpha");
  const auto reader = make_token({"event:read"});
  const auto writer = make_token({"event:write"});
  EXPECT_EQ(call("GET", organization_path("issues/1/"), "", reader).status, 200U);
  EXPECT_EQ(call("PUT", organization_path("issues/1/"), R"({"status":"resolved"})", reader).status, 403U);
  EXPECT_EQ(call("PUT", "/api/0/issues/1/", R"({"status":"resolved"})", reader).status, 403U);
  EXPECT_EQ(call("PUT", "/api/0/issues/1/", R"({"status":"resolved"})", writer).status, 200U);
  EXPECT_EQ(call("DELETE", "/api/0/issues/1/", "", writer).status, 403U);
}

TEST_F(IssueUpdate, ADeletedIssueLeavesNothingBehind) {
  const auto event = error("Alpha", R"(,"tags":{"color":"red"},"user":{"id":"7"})");
  const auto kept = error("Beta", R"(,"tags":{"color":"red"})");
  put("issues/1/", R"({"status":"resolved","isBookmarked":true})");
  ASSERT_EQ(call("DELETE", organization_path("issues/1/")).status, 202U);
  EXPECT_EQ(get(organization_path("issues/1/")).status, 404U);
  EXPECT_EQ(get(organization_path("issues/DEFAULT-1/")).status, 404U);
  EXPECT_EQ(get(project_path("events/" + event + "/")).status, 404U);
  EXPECT_EQ(get(project_path("events/" + kept + "/")).status, 200U);
  EXPECT_EQ(listed("query=color:red"), Titles{"Beta"});
  EXPECT_EQ(get(project_path("events/")).json.as_array().size(), 1U);
  const auto snapshot = tables_->snapshot();
  using buffer::Table;
  for (const auto table : {Table::issues, Table::issue_counters, Table::events, Table::events_by_issue,
                           Table::events_by_project, Table::short_ids, Table::issue_hashes, Table::hashes_by_issue, Table::issues_by_last_seen}) {
    EXPECT_EQ(snapshot.entries(table), 1U) << buffer::table_name(table);
  }
  for (const auto table : {Table::issue_users, Table::issue_marks, Table::activities}) {
    EXPECT_EQ(snapshot.entries(table), 0U) << buffer::table_name(table);
  }
  auto cursor = snapshot.cursor(Table::issue_tags);
  ASSERT_TRUE(cursor.first());
  EXPECT_EQ(buffer::KeyReader(cursor.key()).u64(), 2U);
}

TEST_F(IssueUpdate, AnEventAfterDeletionStartsANewIssue) {
  error("Alpha");
  call("DELETE", organization_path("issues/?id=1"));
  error("Alpha");
  const auto answer = get(organization_path("issues/"));
  ASSERT_EQ(answer.json.as_array().size(), 1U);
  EXPECT_EQ(answer.json.at(0).at("id"), "2");
  EXPECT_EQ(answer.json.at(0).at("count"), "1");
  EXPECT_EQ(answer.json.at(0).at("shortId"), "DEFAULT-2");
}

TEST_F(IssueUpdate, BulkDeletionTakesOnlyWhatWasSelected) {
  error("Alpha");
  error("Beta");
  error("Gamma");
  EXPECT_EQ(call("DELETE", organization_path("issues/?id=1&id=3&id=99")).status, 204U);
  EXPECT_EQ(listed("query="), Titles{"Beta"});
}

TEST_F(IssueUpdate, NotesAreKeptAndCounted) {
  error("Alpha");
  const auto note = call("POST", organization_path("issues/DEFAULT-1/notes/"), R"({"text":"look at **this**"})");
  ASSERT_EQ(note.status, 201U) << note.text;
  EXPECT_EQ(note["data"].at("text"), "look at **this**");
  EXPECT_EQ(get(organization_path("issues/1/notes/")).json.as_array().size(), 1U);
  EXPECT_EQ(read("1").at("numComments"), 1);
  EXPECT_EQ(get(organization_path("issues/1/activities/"))["activity"].at(0).at("type"), "note");
  EXPECT_EQ(call("POST", organization_path("issues/1/notes/"), R"({"text":""})").status, 400U);
  EXPECT_EQ(call("POST", organization_path("issues/9/notes/"), R"({"text":"x"})").status, 404U);
}

}  // namespace
}  // namespace picket::rest

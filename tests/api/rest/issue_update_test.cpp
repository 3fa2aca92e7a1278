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
  EXPECT_EQ(call("PUT", project_path("issues/?status=ignored"), R"({"assignedTo":"1"})").status, 200U);
  EXPECT_EQ(listed("query=assigned:me"), (Titles{"Gamma", "Beta"}));
  EXPECT_EQ(call("PUT", project_path("issues/?id=1"), R"({"status":"unresolved","snoozeDuration":null})").status, 200U);
  EXPECT_EQ(listed(""), Titles{"Alpha"});
}

TEST_F(IssueUpdate, AQueryCanSayWhateverIdsCan) {
  for (const auto* type : {"Alpha", "Beta", "Gamma", "Delta"}) error(type, R"(,"tags":{"color":"red"})");
  error("Other", R"(,"tags":{"color":"blue"})");
  const auto answer = put("issues/?query=color:red", R"({"assignedTo":"1","priority":"low","hasSeen":true,"isBookmarked":true,"isSubscribed":true,"isPublic":true})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(answer.headers.find("X-Hits"), "4");
  EXPECT_EQ(answer.headers.find("X-Picket-Selected"), "4");
  EXPECT_EQ(relation(answer.headers.find("Link"), "next").results, "false");
  EXPECT_EQ(answer["priority"], "low");
  EXPECT_FALSE(answer.json.as_object().contains("activity"));
  const Titles red = {"Delta", "Gamma", "Beta", "Alpha"};
  for (const auto* query : {"assigned:me", "issue.priority:low", "bookmarks:me", "subscribed:me"}) EXPECT_EQ(listed("query=" + std::string(query)), red) << query;
  EXPECT_EQ(read("5").at("isPublic"), false);
  EXPECT_EQ(read("2").at("isPublic"), true);
  EXPECT_EQ(read("2").at("hasSeen"), true);
  // All or none: what is wrong for one of them changes none.
  EXPECT_EQ(put("issues/?query=color:red", R"({"status":"resolved","assignedTo":"nobody@example.com"})").status, 400U);
  EXPECT_EQ(listed("query=is:resolved"), Titles{});
  EXPECT_EQ(put("issues/?query=color:green", R"({"priority":"high"})").status, 204U);
}

TEST_F(IssueUpdate, AQueryMergesDiscardsAndDeletes) {
  for (const auto* type : {"Alpha", "Beta", "Gamma", "Delta", "Epsilon"}) error(type, std::string_view(type) < "D" ? R"(,"tags":{"color":"red"})" : "");
  for (const auto* body : {R"({"merge":1})", R"({"discard":true})"}) {
    const auto refused = put("issues/", body);
    EXPECT_EQ(refused.status, 400U) << body;
    EXPECT_EQ(refused.detail(), "Say which issues: by id, by query or by status.");
  }
  const auto merged = put("issues/?query=color:red", R"({"merge":1})");
  ASSERT_EQ(merged.status, 200U) << merged.text;
  EXPECT_EQ(merged["merge"].at("children").as_array().size(), 1U);
  EXPECT_EQ(merged.headers.find("X-Picket-Selected"), "2");
  const auto discarded = put("issues/?query=error.type:Delta", R"({"discard":true})");
  EXPECT_EQ(discarded.status, 204U);
  EXPECT_EQ(discarded.headers.find("X-Hits"), "1");
  error("Delta");
  EXPECT_EQ(listed("query="), (Titles{"Epsilon", "Gamma", "Beta"}));
  const auto removed = call("DELETE", organization_path("issues/?query=!error.type:Epsilon"));
  EXPECT_EQ(removed.status, 204U);
  EXPECT_EQ(removed.headers.find("X-Picket-Selected"), "2");
  EXPECT_EQ(listed("query="), Titles{"Epsilon"});
}

// More than fit one request: each says where the rest is, and no issue is left out or taken twice, though
// events come in between.
TEST_F(IssueUpdate, AQueryOfThousandsIsWorkedOffInPortions) {
  constexpr int many = 2'345;
  for (int i = 0; i < many; ++i) {
    if (i % 7 == 0) clock_.advance(std::chrono::milliseconds(1));
    receive(R"({"exception":[{"type":"Type)" + std::to_string(i) + R"(","value":"went wrong"}],"platform":"python"})");
  }
  digest();
  std::string target = "issues/?query=is:unresolved";
  std::vector<std::string> taken;
  for (int request = 0; request < 5; ++request) {
    const auto answer = put(target, R"({"isBookmarked":true})");
    ASSERT_EQ(answer.status, 200U) << answer.text;
    EXPECT_EQ(answer.headers.find("X-Hits"), std::to_string(many));
    taken.emplace_back(answer.headers.find("X-Picket-Selected"));
    for (const auto* again : {"Type0", "Type1500", "Type2344"}) error(again);
    const auto next = relation(answer.headers.find("Link"), "next");
    if (next.results == "false") break;
    target = "issues/?query=is:unresolved&cursor=" + next.cursor;
  }
  EXPECT_EQ(taken, (Titles{"1000", "1000", "345"}));
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::issue_marks), std::uint64_t{many});
  const auto refused = put("issues/?query=is:unresolved", R"({"merge":1})");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.detail(), "More than 1000 issues match; name fewer to merge them.");
  // A change that takes issues out of the query is worked off by the same cursors.
  target = "issues/?query=is:unresolved";
  for (int request = 0; request < 5; ++request) {
    const auto answer = put(target, R"({"status":"resolved"})");
    ASSERT_EQ(answer.status, 200U) << answer.text;
    const auto next = relation(answer.headers.find("Link"), "next");
    if (next.results == "false") break;
    target = "issues/?query=is:unresolved&cursor=" + next.cursor;
  }
  EXPECT_EQ(listed("query=is:unresolved"), Titles{});
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

// Whatever comes in between: every change that was answered is in the feed, once, and the issue is what
// the last of them made it.
TEST_F(IssueUpdate, TwoWritersOfOneIssueLoseNothing) {
  error("Alpha");
  constexpr int rounds = 30;
  const auto write_states = [&](std::string_view other) {
    for (int i = 0; i < rounds; ++i) {
      ASSERT_EQ(put("issues/1/", R"({"status":"resolved"})").status, 200U);
      ASSERT_EQ(put("issues/?id=1", R"({"status":")" + std::string(other) + "\"}").status, 200U);
      ASSERT_EQ(put("issues/?query=", R"({"priority":"low","isBookmarked":true})").status, 200U);
    }
  };
  std::jthread one([&] { write_states("unresolved"); });
  std::jthread other([&] { write_states("ignored"); });
  one.join();
  other.join();
  const auto issue = read("1");
  const auto& feed = issue.at("activity").as_array();
  // Newest first; what was set again to what it was leaves nothing, so no two alike follow each other.
  std::string state;
  for (const auto& each : feed) {
    const auto type = text_of(each.at("type"));
    if (type == "set_priority" || type == "first_seen") continue;
    if (state.empty()) {
      EXPECT_EQ(type, "set_" + text_of(issue.at("status")));
    }
    EXPECT_NE(type, state);
    state = type;
  }
  EXPECT_EQ(issue.at("isBookmarked"), true);
  EXPECT_EQ(issue.at("priority"), "low");
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

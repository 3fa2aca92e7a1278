// States that end by themselves, as their readers see them: archives and resolutions from the PUT to
// the event that ends them.
#include "issue_fixture.h"

namespace picket::rest {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class IssueStates : public IssuesTest {
 protected:
  Answer put(std::string body, std::string_view rest = "issues/1/") { return call("PUT", organization_path(rest), std::move(body)); }
  boost::json::value read(std::string_view id = "1") { return get(organization_path("issues/" + std::string(id) + "/")).json; }
  std::string state() {
    const auto shown = read();
    return text_of(shown.at("status")) + " " + (shown.at("substatus").is_null() ? "" : text_of(shown.at("substatus")));
  }
  // A release that an event of another issue is the first of.
  void release(std::string_view version) { error("Other", ",\"release\":\"" + std::string(version) + "\""); }
  boost::json::value resolution_in_feed() {
    const auto shown = read();
    for (const auto& activity : shown.at("activity").as_array()) {
      if (activity.at("type") == "set_resolved_in_release") return activity.at("data");
    }
    return boost::json::object{{"version", "not in the feed"}};
  }
  // So many events of the first issue at once.
  void burst(int times, std::string_view fields = "") {
    for (int i = 0; i < times; ++i)
      receive(R"({"exception":[{"type":"Alpha","value":"went wrong"}],"platform":"python")" + std::string(fields) + "}");
    digest();
  }
  void alpha(std::string_view version) { error("Alpha", ",\"release\":\"" + std::string(version) + "\""); }
};

TEST_F(IssueStates, AnArchiveForMinutesEndsByItself) {
  error("Alpha");
  const auto answer = put(R"({"status":"ignored","statusDetails":{"ignoreDuration":30}})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  error("Alpha");
  EXPECT_EQ(state(), "ignored archived_until_condition_met");
  EXPECT_EQ(read().at("statusDetails").at("actor").at("id"), "1");
  clock_.advance(minutes(31));
  digest();
  EXPECT_EQ(state(), "unresolved ongoing");
  EXPECT_TRUE(read().at("statusDetails").as_object().empty());
  EXPECT_EQ(listed("query=is:ongoing"), Titles{"Alpha"});
}

TEST_F(IssueStates, AnArchiveForEventsEndsWithTheLastOfThem) {
  error("Alpha");
  put(R"({"status":"ignored","statusDetails":{"ignoreCount":2}})");
  error("Alpha");
  EXPECT_EQ(state(), "ignored archived_until_condition_met");
  error("Alpha");
  EXPECT_EQ(state(), "unresolved escalating");
  EXPECT_EQ(listed("query=is:escalating"), Titles{"Alpha"});
  EXPECT_EQ(read().at("activity").at(0).at("type"), "set_escalating");
  clock_.advance(hours(24 * 7 + 1));
  digest();
  EXPECT_EQ(state(), "unresolved ongoing");
}

TEST_F(IssueStates, AnArchiveForUsersOfAnHourCountsUsers) {
  error("Alpha");
  ASSERT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreUserCount":2,"ignoreUserWindow":60}})").status, 200U);
  error("Alpha", R"(,"user":{"id":"7"})");
  error("Alpha", R"(,"user":{"id":"7"})");
  EXPECT_EQ(state(), "ignored archived_until_condition_met");
  error("Alpha", R"(,"user":{"id":"8"})");
  EXPECT_EQ(state(), "unresolved escalating");
}

TEST_F(IssueStates, AnArchiveUntilEscalatingEndsWithABurst) {
  error("Alpha");
  EXPECT_EQ(put(R"({"substatus":"archived_until_escalating"})")["substatus"], "archived_until_escalating");
  clock_.advance(hours(2));
  for (int i = 0; i < 10; ++i) receive(R"({"exception":[{"type":"Alpha","value":"went wrong"}],"platform":"python"})");
  digest();
  EXPECT_EQ(state(), "ignored archived_until_escalating");
  error("Alpha");
  EXPECT_EQ(state(), "unresolved escalating");
}

TEST_F(IssueStates, AnOngoingIssueEscalatesWithABurstAndIsOngoingAWeekLater) {
  error("Alpha");
  clock_.advance(hours(24 * 8));
  burst(10);
  EXPECT_EQ(state(), "unresolved ongoing");
  EXPECT_EQ(listed("query=is:escalating"), Titles{});
  const auto last = error("Alpha");
  EXPECT_EQ(state(), "unresolved escalating");
  EXPECT_EQ(listed("query=is:escalating"), Titles{"Alpha"});
  EXPECT_EQ(listed("query=is:for_review"), Titles{"Alpha"});
  const auto activity = read().at("activity").at(0);
  EXPECT_EQ(activity.at("type"), "set_escalating");
  EXPECT_EQ(activity.at("data").at("forecast"), 10);
  EXPECT_EQ(activity.at("data").at("event_id"), json_text(last));
  EXPECT_TRUE(activity.at("user").is_null());
  // More of the same is no second escalation.
  burst(20);
  EXPECT_EQ(read().at("activity").as_array().size(), 2U);
  clock_.advance(hours(24 * 7) - minutes(5));
  digest();
  EXPECT_EQ(state(), "unresolved escalating");
  clock_.advance(minutes(6));
  digest();
  EXPECT_EQ(state(), "unresolved ongoing");
  EXPECT_EQ(read().at("activity").at(0).at("type"), "auto_set_ongoing");
  EXPECT_EQ(listed("query=is:escalating"), Titles{});
}

TEST_F(IssueStates, AnIssueEscalatesByItsOwnPastOnly) {
  error("Alpha");
  clock_.advance(hours(24 * 8));
  // Its busiest hour of these days has 20 events: twice as many are still nothing new.
  for (int hour = 0; hour < 30; ++hour) {
    burst(hour == 20 ? 20 : 10);
    clock_.advance(hours(1));
  }
  EXPECT_EQ(state(), "unresolved ongoing");
  burst(40);
  EXPECT_EQ(state(), "unresolved ongoing");
  burst(1);
  EXPECT_EQ(state(), "unresolved escalating");
  EXPECT_EQ(read().at("activity").at(0).at("data").at("forecast"), 40);
}

TEST_F(IssueStates, WhatIsNewHasNoPastToOutgrow) {
  error("Alpha");
  burst(500);
  EXPECT_EQ(state(), "unresolved new");
  // Neither has one that somebody has called ongoing within its first day.
  put(R"({"status":"resolved"})");
  put(R"({"status":"unresolved"})");
  EXPECT_EQ(state(), "unresolved ongoing");
  clock_.advance(hours(1));
  burst(500);
  EXPECT_EQ(state(), "unresolved ongoing");
}

TEST_F(IssueStates, EventsThatComeLateAreNoEscalation) {
  error("Alpha");
  clock_.advance(hours(24 * 8));
  error("Alpha");
  const auto before = std::to_string(to_ms(clock_.now()) / 1000 - 7200);
  burst(50, ",\"timestamp\":" + before);
  EXPECT_EQ(state(), "unresolved ongoing");
}

// Nobody decided: what somebody decides elsewhere, before it, still counts.
TEST_F(IssueStates, AnEscalationIsNobodysDecision) {
  error("Alpha");
  clock_.advance(hours(24 * 8));
  const auto before = buffer::find_row<schema::Issue>(tables_->snapshot(), buffer::Table::issues, buffer::Key().u64(1));
  burst(11);
  ASSERT_EQ(state(), "unresolved escalating");
  const auto after = buffer::find_row<schema::Issue>(tables_->snapshot(), buffer::Table::issues, buffer::Key().u64(1));
  EXPECT_EQ(before->status_stamp().SerializeAsString(), after->status_stamp().SerializeAsString());
  EXPECT_EQ(before->change(), after->change());
}

TEST_F(IssueStates, NewConditionsTakeTheOldOnesPlace) {
  error("Alpha");
  put(R"({"status":"ignored","statusDetails":{"ignoreCount":1}})");
  put(R"({"status":"ignored","substatus":"archived_forever"})");
  error("Alpha");
  EXPECT_EQ(state(), "ignored archived_forever");
  put(R"({"status":"unresolved"})");
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::issue_snoozes), 0U);
}

TEST_F(IssueStates, ConditionsThatNobodyCanMeanAreRefused) {
  error("Alpha");
  EXPECT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreCount":-1}})").status, 400U);
  EXPECT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreCount":"many"}})").status, 400U);
  EXPECT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreWindow":10081,"ignoreCount":1}})").status, 400U);
  EXPECT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreUserWindow":10080,"ignoreUserCount":1}})").status, 200U);
}

TEST_F(IssueStates, TheNextReleaseIsOneThatIsNewerThanTheNewest) {
  alpha("shop@1.4.0");
  release("shop@2.0.0");
  release("shop@1.4.1");
  const auto answer = put(R"({"status":"resolvedInNextRelease"})");
  ASSERT_EQ(answer.status, 200U) << answer.text;
  EXPECT_EQ(read().at("activity").at(0).at("data").at("current_release_version"), "shop@2.0.0");
  // 1.4.2 is made later, but it is no newer line.
  for (const auto* old : {"shop@1.4.0", "shop@2.0.0", "shop@1.4.2"}) alpha(old);
  EXPECT_EQ(state(), "resolved ");
  alpha("shop@2.0.1");
  EXPECT_EQ(state(), "unresolved regressed");
}

TEST_F(IssueStates, ReleasesWithoutVersionsGoByTime) {
  alpha("c0ffee");
  release("badcab");
  put(R"({"status":"resolved","statusDetails":{"inUpcomingRelease":true}})");
  alpha("c0ffee");
  alpha("badcab");
  EXPECT_EQ(state(), "resolved ");
  alpha("facade");
  EXPECT_EQ(state(), "unresolved regressed");
}

TEST_F(IssueStates, ANextReleaseCanComeBeforeThereIsAny) {
  error("Alpha");
  EXPECT_EQ(put(R"({"status":"resolvedInNextRelease"})").status, 200U);
  error("Alpha");
  EXPECT_EQ(state(), "resolved ");
  alpha("1.0");
  EXPECT_EQ(state(), "unresolved regressed");
}

TEST_F(IssueStates, ACommitIsResolvedInTheReleaseThatHasIt) {
  alpha("1.0");
  const auto made = call("POST", organization_path("releases/"),
                         R"({"version":"1.1","projects":[")" + first.project + R"("],"commits":[{"id":"abcdef","repository":"shop"}]})");
  ASSERT_LT(made.status, 300U) << made.text;
  ASSERT_EQ(put(R"({"status":"resolved","statusDetails":{"inCommit":{"commit":"abcdef","repository":"shop"}}})").status, 200U);
  alpha("1.0");
  alpha("1.1");
  EXPECT_EQ(state(), "resolved ");
  alpha("1.2");
  EXPECT_EQ(state(), "unresolved regressed");
  put(R"({"status":"resolved","statusDetails":{"inCommit":{"commit":"unknown","repository":"shop"}}})");
  alpha("1.0");
  EXPECT_EQ(state(), "unresolved regressed");
}

TEST_F(IssueStates, TheNextReleaseIsNamedOnceItIsThere) {
  alpha("shop@1.0.0");
  put(R"({"status":"resolvedInNextRelease"})");
  // Older lines are not it.
  release("shop@0.9.9");
  digest();
  EXPECT_EQ(read().at("statusDetails").at("inNextRelease"), true);
  EXPECT_EQ(resolution_in_feed().at("version"), "");
  release("shop@1.1.0");
  release("shop@1.2.0");
  digest();
  EXPECT_EQ(state(), "resolved ");
  EXPECT_EQ(read().at("statusDetails").at("inRelease"), "shop@1.1.0");
  EXPECT_FALSE(read().at("statusDetails").as_object().contains("inNextRelease"));
  EXPECT_EQ(read().at("statusDetails").at("actor").at("id"), "1");
  EXPECT_EQ(resolution_in_feed().at("version"), "shop@1.1.0");
  EXPECT_EQ(resolution_in_feed().at("current_release_version"), "shop@1.0.0");
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), 0U);
  // What brings it back is what would have.
  alpha("shop@1.0.0");
  EXPECT_EQ(state(), "resolved ");
  alpha("shop@1.1.0");
  EXPECT_EQ(state(), "unresolved regressed");
  // Resolved in this release by name, its own events do not.
  ASSERT_EQ(put(R"({"status":"resolved","statusDetails":{"inRelease":"shop@1.1.0"}})").status, 200U);
  alpha("shop@1.1.0");
  EXPECT_EQ(state(), "resolved ");
}

TEST_F(IssueStates, AReleaseMadeOverTheApiIsTheNextOneToo) {
  error("Alpha");
  put(R"({"status":"resolved","statusDetails":{"inUpcomingRelease":true}})");
  clock_.advance(minutes(1));
  const auto made = call("POST", organization_path("releases/"), R"({"version":"first","projects":[")" + first.project + R"("]})");
  ASSERT_EQ(made.status, 201U) << made.text;
  EXPECT_EQ(read().at("statusDetails").at("inUpcomingRelease"), true);
  digest();
  EXPECT_EQ(read().at("statusDetails").at("inRelease"), "first");
  alpha("first");
  EXPECT_EQ(state(), "unresolved regressed");
}

TEST_F(IssueStates, AnIssueThatCameBackAwaitsNoReleaseAnyMore) {
  alpha("1.0");
  put(R"({"status":"resolvedInNextRelease"})");
  put(R"({"status":"unresolved"})");
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), 0U);
  put(R"({"status":"resolvedInNextRelease"})");
  alpha("1.1");
  EXPECT_EQ(state(), "unresolved regressed");
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), 0U);
  digest();
  EXPECT_EQ(state(), "unresolved regressed");
  put(R"({"status":"resolvedInNextRelease"})");
  ASSERT_EQ(call("DELETE", organization_path("issues/1/")).status, 202U);
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), 0U);
}

TEST_F(IssueStates, ACommitIsResolvedInTheFirstReleaseThatGetsIt) {
  alpha("1.0");
  put(R"({"status":"resolved","statusDetails":{"inCommit":{"commit":"abcdef","repository":"shop"}}})");
  clock_.advance(minutes(1));
  const auto other = call("POST", organization_path("releases/"), R"({"version":"1.1","projects":[")" + first.project + R"("],"commits":[{"id":"012345"}]})");
  ASSERT_EQ(other.status, 201U) << other.text;
  digest();
  EXPECT_EQ(read().at("statusDetails").at("inCommit").at("commit"), "abcdef");
  // The commit comes to a release that is there already.
  const auto updated = call("PUT", organization_path("releases/1.1/"), R"({"commits":[{"id":"012345"},{"id":"abcdef","repository":"shop"}]})");
  ASSERT_EQ(updated.status, 200U) << updated.text;
  digest();
  EXPECT_EQ(read().at("statusDetails").at("inRelease"), "1.1");
  const auto activity = read().at("activity").at(0);
  EXPECT_EQ(activity.at("type"), "set_resolved_in_release");
  EXPECT_EQ(activity.at("data").at("version"), "1.1");
  EXPECT_TRUE(activity.at("user").is_null());
  alpha("1.0");
  alpha("1.1");
  EXPECT_EQ(state(), "resolved ");
  alpha("1.2");
  EXPECT_EQ(state(), "unresolved regressed");
}

// However many wait: told in portions, by whoever digests next, each once.
TEST_F(IssueStates, ManyIssuesAwaitOneRelease) {
  constexpr int many = 2'300;
  for (int i = 0; i < many; ++i)
    receive(R"({"release":"1.0","exception":[{"type":"Type)" + std::to_string(i) + R"(","value":"x"}],"platform":"python"})");
  digest();
  for (int from = 1; from <= many; from += 1'000) {
    std::string ids;
    for (int id = from; id < from + 1'000 && id <= many; ++id) ids += (ids.empty() ? "?id=" : "&id=") + std::to_string(id);
    ASSERT_EQ(put(R"({"status":"resolvedInNextRelease"})", "issues/" + ids).status, 200U);
  }
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), std::uint64_t{many});
  release("1.1");
  for (int i = 0; i < 4; ++i) {
    clock_.advance(std::chrono::seconds(2));
    digest();
  }
  EXPECT_EQ(tables_->snapshot().entries(buffer::Table::awaited_releases), 0U);
  for (const auto* id : {"1", "1000", "1001", "2300"}) EXPECT_EQ(read(id).at("statusDetails").at("inRelease"), "1.1") << id;
}

TEST_F(IssueStates, AReleaseThatDoesNotExistResolvesNothing) {
  alpha("1.0");
  const auto answer = put(R"({"status":"resolved","statusDetails":{"inRelease":"nowhere"}})");
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(state(), "unresolved new");
}

// Our own clock is set back between events, by minutes and by days.
TEST_F(IssueStates, AClockThatGoesBackTurnsNothingAround) {
  error("Alpha", R"(,"user":{"id":"1"})");
  clock_.advance(hours(24 * 8));
  error("Alpha", R"(,"user":{"id":"2"})");
  const auto newest = read();
  clock_.advance(-hours(24 * 3));
  error("Alpha", R"(,"user":{"id":"3"})");
  clock_.advance(-hours(24 * 30));
  error("Alpha", R"(,"user":{"id":"1"})");
  auto shown = read();
  EXPECT_EQ(shown.at("lastSeen"), newest.at("lastSeen"));
  EXPECT_EQ(shown.at("count"), "4");
  EXPECT_EQ(shown.at("userCount"), 3);
  EXPECT_EQ(get(organization_path("issues/1/events/")).json.as_array().size(), 4U);
  EXPECT_EQ(get(organization_path("issues/1/events/latest/"))["user"].at("id"), "2");
  EXPECT_EQ(listed("query="), Titles{"Alpha"});
  // States go on: resolved by the clock that lags, and back with an event that it dates even earlier.
  ASSERT_EQ(put(R"({"status":"resolved"})").status, 200U);
  clock_.advance(-minutes(10));
  error("Alpha");
  EXPECT_EQ(state(), "unresolved regressed");
  ASSERT_EQ(put(R"({"status":"ignored","statusDetails":{"ignoreCount":2,"ignoreWindow":60}})").status, 200U);
  clock_.advance(-hours(2));
  error("Alpha");
  error("Alpha");
  EXPECT_EQ(state(), "unresolved escalating");
  // A burst in an hour that is not the newest is no news, and once the clock is right again all is as before.
  clock_.advance(hours(24 * 60));
  digest();
  EXPECT_EQ(state(), "unresolved ongoing");
  burst(11);
  EXPECT_EQ(state(), "unresolved escalating");
  shown = read();
  EXPECT_EQ(shown.at("count"), "18");
}

TEST_F(IssueStates, PriorityIsLockedBySomebody) {
  error("Alpha");
  EXPECT_EQ(read().at("priority"), "high");
  EXPECT_TRUE(read().at("priorityLockedAt").is_null());
  error("Beta", R"(,"level":"warning")");
  EXPECT_EQ(read("2").at("priority"), "medium");
  put(R"({"priority":"low"})");
  EXPECT_EQ(read().at("priority"), "low");
  EXPECT_FALSE(read().at("priorityLockedAt").is_null());
}

}  // namespace
}  // namespace picket::rest

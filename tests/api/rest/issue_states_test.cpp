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

TEST_F(IssueStates, AReleaseThatDoesNotExistResolvesNothing) {
  alpha("1.0");
  const auto answer = put(R"({"status":"resolved","statusDetails":{"inRelease":"nowhere"}})");
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(state(), "unresolved new");
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

// What upstreams say about issues: the last writer wins, once, with its origin in the activity.
#include "api/digest/issue_wish.h"
#include "api/digest/issue_decision.h"
#include "api/digest/digest_fixture.h"

#include <boost/json.hpp>

namespace picket::digest {
namespace {

namespace json = boost::json;
using buffer::IssuePart;
using buffer::Key;
using buffer::Table;

schema::Stamp stamp(std::int64_t ms, std::string origin = "afar") {
  schema::Stamp made;
  made.set_ms(ms);
  made.set_origin(std::move(origin));
  return made;
}

class IssueWishes : public DigestTest {
 protected:
  IssueWishes() {
    receive_event(R"(,"message":"out of paper")");
    digest_all();
    now_ms = to_ms(clock.now());
  }

  void wish(const std::function<void(schema::IssueWish&)>& fill) {
    schema::IssueWish row;
    row.set_issue(only_issue().id());
    row.set_origin("upstream cloud");
    fill(row);
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      buffer::put_row(batch, Table::issue_wishes, Key().u64(batch.next_number("issue_wish")), row);
    }));
  }
  void wish_status(std::string_view status, std::int64_t ms, std::string_view details = "", std::string_view substatus = "") {
    wish([&](schema::IssueWish& row) {
      *row.mutable_status_stamp() = stamp(ms);
      row.set_status(std::string(status));
      row.set_substatus(std::string(substatus));
      row.set_status_details_json(std::string(details));
    });
  }
  void decide_here(Status status) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      auto issue = only_issue();
      Deciding deciding(batch, issue, to_ms(clock.now()), std::nullopt);
      StateDecision decision;
      decision.status = status;
      deciding.set_state(decision);
      buffer::put_row(batch, Table::issues, Key().u64(issue.id()), issue);
    }));
  }
  std::vector<schema::Activity> activities() const {
    std::vector<schema::Activity> found;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(Table::activities);
    for (bool there = cursor.first(); there; there = cursor.next()) found.push_back(buffer::parse_row<schema::Activity>(cursor.value()));
    return found;
  }
  json::object data(const schema::Activity& activity) const { return json::parse(activity.data_json()).as_object(); }

  std::int64_t now_ms = 0;
};

TEST_F(IssueWishes, AreTakenUpOnceWithTheirOriginInTheActivity) {
  wish_status("resolved", now_ms - 5'000);
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::resolved);
  EXPECT_EQ(only_issue().resolved_ms(), now_ms - 5'000);
  EXPECT_EQ(rows(Table::issue_wishes), 0U);
  ASSERT_EQ(activities().size(), 1U);
  EXPECT_EQ(activities()[0].type(), "set_resolved");
  EXPECT_EQ(activities()[0].at_ms(), now_ms - 5'000);
  EXPECT_EQ(activities()[0].user(), 0U);
  EXPECT_EQ(data(activities()[0]).at("origin"), "upstream cloud");
  digest_all();
  EXPECT_EQ(activities().size(), 1U);
  // Others are to be told.
  EXPECT_NE(only_issue().change(), 0U);
}

TEST_F(IssueWishes, ComeTooLateAfterALaterChangeHere) {
  decide_here(Status::resolved);
  wish_status("ignored", now_ms - 1, "", "archived_forever");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::resolved);
  EXPECT_TRUE(activities().empty());
  EXPECT_EQ(rows(Table::issue_wishes), 0U);
}

TEST_F(IssueWishes, ThatSayTheSameLeaveTheirStampAndNoActivity) {
  decide_here(Status::resolved);
  const auto change = only_issue().change();
  wish_status("resolved", now_ms + 1);
  digest_all();
  EXPECT_TRUE(activities().empty());
  EXPECT_EQ(only_issue().status_stamp().origin(), "afar");
  EXPECT_EQ(only_issue().change(), change);
  wish([&](schema::IssueWish& row) { *row.mutable_status_stamp() = stamp(now_ms + 2); });
  digest_all();
  EXPECT_EQ(only_issue().status_stamp().ms(), now_ms + 2);
  EXPECT_EQ(status_of(only_issue()), Status::resolved);
  EXPECT_TRUE(activities().empty());
}

TEST_F(IssueWishes, OfAClockThatRunsAheadAreShownAsOfNowAndOverruledByWhoHasSeenThem) {
  wish_status("resolved", now_ms + 3'600'000);
  digest_all();
  EXPECT_EQ(activities().at(0).at_ms(), now_ms);
  decide_here(Status::unresolved);
  EXPECT_EQ(status_of(only_issue()), Status::unresolved);
  EXPECT_EQ(only_issue().status_stamp().ms(), now_ms + 3'600'001);
}

TEST_F(IssueWishes, ForAnArchiveKeepItsConditions) {
  wish_status("ignored", now_ms, R"({"ignoreCount":2})", "archived_until_condition_met");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::ignored);
  EXPECT_EQ(only_issue().substatus(), static_cast<std::uint32_t>(Substatus::archived_until_condition_met));
  EXPECT_EQ(data(activities().at(0)).at("ignoreCount"), 2);
  receive_event(R"(,"message":"out of paper")");
  receive_event(R"(,"message":"out of paper")");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::unresolved);
  EXPECT_TRUE(only_issue().status_stamp().automatic());
}

TEST_F(IssueWishes, ForAReleaseSayWhich) {
  wish_status("resolved", now_ms, R"({"inRelease":"shop@1.2"})");
  digest_all();
  EXPECT_EQ(activities().at(0).type(), "set_resolved_in_release");
  EXPECT_EQ(data(activities().at(0)).at("version"), "shop@1.2");
  receive_event(R"(,"message":"out of paper","release":"shop@1.1")");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::resolved);
  receive_event(R"(,"message":"out of paper","release":"shop@1.3")");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::unresolved);
}

TEST_F(IssueWishes, AssignMembersAndTeamsThatAreKnownHere) {
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    schema::User user;
    user.set_id(3);
    user.set_email("ann@example.com");
    buffer::put_row(batch, Table::users, Key().u64(3), user);
    schema::Member member;
    member.set_id(9);
    member.set_organization(test_organization);
    member.set_user(3);
    buffer::put_row(batch, Table::members, Key().u64(test_organization).u64(9), member);
    batch.put(Table::slugs, Key().u8(3).u64(test_organization).text("backend"), Key().u64(5));
    batch.put(Table::team_projects, Key().u64(5).u64(test_project), {});
  }));
  const auto assign = [&](std::string email, std::string team, std::int64_t ms) {
    wish([&](schema::IssueWish& row) {
      *row.mutable_assignee_stamp() = stamp(ms);
      row.set_assignee_email(email);
      row.set_assignee_team(team);
    });
    digest_all();
  };
  assign("ann@example.com", "", now_ms + 1);
  EXPECT_EQ(only_issue().assigned_user(), 3U);
  assign("nobody@example.com", "", now_ms + 2);
  EXPECT_EQ(only_issue().assigned_user(), 3U);
  assign("", "backend", now_ms + 3);
  EXPECT_EQ(only_issue().assigned_user(), 0U);
  EXPECT_EQ(only_issue().assigned_team(), 5U);
  assign("", "", now_ms + 4);
  EXPECT_EQ(only_issue().assigned_team(), 0U);
  std::vector<std::string> types;
  for (const auto& activity : activities()) types.push_back(activity.type());
  EXPECT_EQ(types, (std::vector<std::string>{"unassigned", "assigned", "assigned"}));
}

TEST_F(IssueWishes, ForIssuesThatAreGoneOrMadeOfNonsenseAreDropped) {
  wish([](schema::IssueWish& row) {
    row.set_issue(999);
    *row.mutable_status_stamp() = stamp(1);
  });
  wish_status("reprocessing", now_ms + 5, "{{{");
  wish_status("ignored", now_ms + 6, "[1]", "no such substatus");
  digest_all();
  EXPECT_EQ(rows(Table::issue_wishes), 0U);
  EXPECT_EQ(status_of(only_issue()), Status::ignored);
  EXPECT_EQ(only_issue().substatus(), static_cast<std::uint32_t>(Substatus::archived_forever));
}

TEST_F(IssueWishes, AnEventThatBringsAnIssueBackIsStampedAsNobodysChange) {
  decide_here(Status::resolved);
  const auto change = only_issue().change();
  clock.advance(std::chrono::seconds(1));
  receive_event(R"(,"message":"out of paper")");
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::unresolved);
  EXPECT_TRUE(only_issue().status_stamp().automatic());
  EXPECT_EQ(only_issue().change(), change);
  // An older decision from elsewhere does not resolve it again.
  wish_status("resolved", now_ms + 1);
  digest_all();
  EXPECT_EQ(status_of(only_issue()), Status::unresolved);
}

}  // namespace
}  // namespace picket::digest

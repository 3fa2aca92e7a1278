#include "upstream/sync_state.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/temp_dir.h"
#include "upstream/api_answer.h"
#include "upstream/sync_book.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace picket::upstream {
namespace {

namespace json = boost::json;
using buffer::IssuePart;
using buffer::Key;
using buffer::Table;

const Time now = time_from_ms(1'700'000'000'000);

RemoteIssue remote(std::string_view text) {
  const auto parsed = parse_remote(json::parse(text));
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : RemoteIssue();
}
std::string status_there(std::string_view members) {
  return remote("{\"id\":\"1\"," + std::string(members) + "}").part(IssuePart::status).value;
}

TEST(RemoteIssue, SaysItsStatusInWordsThatCanBeCompared) {
  EXPECT_EQ(status_there(R"("status":"unresolved","substatus":"regressed")"), "unresolved");
  EXPECT_EQ(status_there(R"("status":"resolved","statusDetails":{"actor":{"id":"3"}})"), "resolved");
  EXPECT_EQ(status_there(R"("status":"resolved","statusDetails":{"inNextRelease":true,"actor":{"id":"3"}})"), "resolved inNextRelease");
  EXPECT_EQ(status_there(R"("status":"resolved","statusDetails":{"inRelease":"1.2"})"), "resolved inRelease 1.2");
  EXPECT_EQ(status_there(R"("status":"ignored","substatus":"archived_forever","statusDetails":{})"), "ignored forever");
  EXPECT_EQ(status_there(R"("status":"ignored","substatus":"archived_until_escalating","statusDetails":{})"), "ignored until escalating");
  EXPECT_EQ(status_there(R"("status":"ignored","substatus":"archived_until_condition_met","statusDetails":{"ignoreUntil":"2023-11-14T22:13:20Z"})"),
            "ignored until 1700000000");
  // What is missing goes down there and here at its own pace.
  EXPECT_EQ(status_there(R"("status":"ignored","statusDetails":{"ignoreCount":10})"),
            status_there(R"("status":"ignored","statusDetails":{"ignoreCount":7})"));
}

TEST(RemoteIssue, SaysWhoIsAssignedByAddressOrSlug) {
  EXPECT_EQ(remote(R"({"id":"1","status":"resolved","assignedTo":{"type":"user","id":"5","name":"Ann","email":"Ann@Example.com"}})").part(IssuePart::assignee).value,
            "user ann@example.com");
  EXPECT_EQ(remote(R"({"id":"1","status":"resolved","assignedTo":{"type":"team","id":"5","name":"backend"}})").part(IssuePart::assignee).value, "team backend");
  EXPECT_EQ(remote(R"({"id":"1","status":"resolved","assignedTo":null})").part(IssuePart::assignee).value, "");
}

TEST(RemoteIssue, CountsAPriorityOnlyWhenSomebodySetIt) {
  EXPECT_EQ(remote(R"({"id":"1","status":"resolved","priority":"high","priorityLockedAt":null})").part(IssuePart::priority).value, "");
  const auto set = remote(R"({"id":"1","status":"resolved","priority":"low","priorityLockedAt":"2023-11-14T22:13:20Z"})").part(IssuePart::priority);
  EXPECT_EQ(set.value, "low");
  EXPECT_EQ(set.changed_ms, to_ms(now));
}

TEST(RemoteIssue, KnowsFromItsActivityWhenEachPartWasChangedAndWhetherByThemselves) {
  const auto issue = remote(R"({"id":"1","status":"unresolved","activity":[
    {"type":"note","dateCreated":"2023-11-14T22:13:50Z"},
    {"type":"set_regression","dateCreated":"2023-11-14T22:13:40Z"},
    {"type":"assigned","dateCreated":"2023-11-14T22:13:30Z","data":{"integration":"projectOwnership"}},
    {"type":"set_resolved","dateCreated":"2023-11-14T22:13:20Z"},
    {"type":"first_seen","dateCreated":"2023-11-14T22:13:10Z"}]})");
  EXPECT_TRUE(issue.has_times);
  EXPECT_FALSE(issue.has_stamps);
  EXPECT_EQ(issue.part(IssuePart::status).changed_ms, to_ms(now) + 20'000);
  EXPECT_TRUE(issue.part(IssuePart::status).automatic);
  EXPECT_EQ(issue.part(IssuePart::assignee).changed_ms, to_ms(now) + 10'000);
  EXPECT_TRUE(issue.part(IssuePart::assignee).automatic);
  EXPECT_EQ(issue.part(IssuePart::priority).changed_ms, 0);
}

TEST(RemoteIssue, OfAPicketTellsStamps) {
  const auto issue = remote(R"({"id":"1","status":"resolved","picketStamps":{"status":"1700000000000 abc 0 edge 7","assignee":"junk"}})");
  EXPECT_TRUE(issue.has_stamps);
  EXPECT_EQ(issue.part(IssuePart::status).stamp->origin(), "abc");
  EXPECT_EQ(issue.part(IssuePart::status).stamp->name(), "edge 7");
  EXPECT_EQ(issue.part(IssuePart::assignee).stamp->ms(), 0);
  EXPECT_EQ(issue.part(IssuePart::priority).stamp->ms(), 0);
}

TEST(RemoteIssue, IsNotMadeOfWhatIsNone) {
  for (const char* const text : {"[]", "{}", R"({"id":1,"status":"resolved"})", R"({"id":"1"})", "null"}) {
    EXPECT_FALSE(parse_remote(json::parse(text))) << text;
  }
  // Whatever the members hold, it is read.
  remote(R"({"id":"1","status":"resolved","statusDetails":[],"assignedTo":7,"activity":[1,{"type":2},{"type":"assigned","dateCreated":{}}],"picketStamps":[]})");
}

class LocalIssues : public ::testing::Test {
 protected:
  LocalIssues() {
    auto opened = buffer::Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables = *std::move(opened);
    issue.set_id(4);
    issue.set_project(7);
    issue.set_first_event_id(std::string(16, '\x11'));
  }
  LocalIssue stored() {
    EXPECT_TRUE(tables->write([&](buffer::Batch& batch) { buffer::put_row(batch, Table::issues, Key().u64(4), issue); }));
    const auto local = read_local(tables->snapshot(), 4);
    EXPECT_TRUE(local);
    return local.value_or(LocalIssue());
  }
  json::value told(IssuePart part, bool plain = false, std::string_view team = "") {
    const auto body = render_change(stored(), part, now, team, plain);
    return body ? json::parse(*body) : json::value(nullptr);
  }

  testing::TempDir folder;
  std::unique_ptr<buffer::Tables> tables;
  schema::Issue issue;
};

TEST_F(LocalIssues, AreToldAsSentryTakesThem) {
  EXPECT_EQ(told(IssuePart::status), (json::object{{"status", "unresolved"}, {"substatus", "ongoing"}}));
  issue.set_status(1);
  EXPECT_EQ(told(IssuePart::status), (json::object{{"status", "resolved"}}));
  issue.set_status_details_json(R"({"inRelease":"1.2"})");
  EXPECT_EQ(told(IssuePart::status), (json::object{{"status", "resolved"}, {"statusDetails", {{"inRelease", "1.2"}}}}));
  EXPECT_EQ(told(IssuePart::status, true), (json::object{{"status", "resolved"}}));
  issue.set_status(2);
  issue.set_substatus(1);
  issue.clear_status_details_json();
  EXPECT_EQ(told(IssuePart::status).at("substatus"), "archived_until_escalating");
}

TEST_F(LocalIssues, ThatAreArchivedForATimeAreToldTheRestOfIt) {
  issue.set_status(2);
  issue.set_substatus(4);
  issue.set_status_details_json(R"({"ignoreUntil":"2023-11-14T22:43:00Z","ignoreCount":5})");
  const auto body = told(IssuePart::status);
  EXPECT_EQ(body.at("substatus"), "archived_until_condition_met");
  EXPECT_EQ(body.at("statusDetails").at("ignoreDuration"), 30);
  EXPECT_EQ(body.at("statusDetails").at("ignoreCount"), 5);
  issue.set_status_details_json(R"({"ignoreUntil":"2023-11-14T22:13:00Z"})");
  EXPECT_TRUE(told(IssuePart::status).is_null());
}

TEST_F(LocalIssues, AreAssignedByAddressOrTheTeamsIdOverThere) {
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    schema::User user;
    user.set_id(3);
    user.set_email("Ann@example.com");
    buffer::put_row(batch, Table::users, Key().u64(3), user);
    schema::Team team;
    team.set_id(5);
    team.set_slug("backend");
    buffer::put_row(batch, Table::teams, Key().u64(5), team);
  }));
  EXPECT_EQ(told(IssuePart::assignee), (json::object{{"assignedTo", ""}}));
  issue.set_assigned_user(3);
  EXPECT_EQ(told(IssuePart::assignee), (json::object{{"assignedTo", "ann@example.com"}}));
  EXPECT_EQ(stored().part(IssuePart::assignee).value, "user ann@example.com");
  issue.set_assigned_user(0);
  issue.set_assigned_team(5);
  EXPECT_EQ(told(IssuePart::assignee, false, "77"), (json::object{{"assignedTo", "team:77"}}));
  EXPECT_EQ(stored().part(IssuePart::assignee).value, "team backend");
}

TEST_F(LocalIssues, AreFoundByTheirLatestEventThenTheirFirst) {
  schema::IssueCounters counters;
  counters.set_last_event_id(std::string(16, '\x22'));
  counters.set_last_sequence(9);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { buffer::put_row(batch, Table::issue_counters, Key().u64(4), counters); }));
  EXPECT_EQ(stored().events, (std::vector<std::string>{std::string(32, '2'), std::string(32, '1')}));
  EXPECT_EQ(stored().last_sequence, 9U);
  issue.set_merged_into(8);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { buffer::put_row(batch, Table::issues, Key().u64(4), issue); }));
  EXPECT_FALSE(read_local(tables->snapshot(), 4));
}

TEST_F(LocalIssues, LinksAreDueOnceAtATime) {
  const SyncBook book("hub");
  schema::IssueLink link;
  link.set_issue(4);
  const auto put = [&](DueKind kind, Time due) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { book.put_link(batch, link, kind, due); }));
  };
  put(DueKind::changed, now);
  put(DueKind::look, now + std::chrono::seconds(5));
  EXPECT_TRUE(book.due(tables->snapshot(), DueKind::changed, now, 10).empty());
  EXPECT_TRUE(book.due(tables->snapshot(), DueKind::look, now, 10).empty());
  EXPECT_EQ(book.due(tables->snapshot(), DueKind::look, now + std::chrono::seconds(5), 10), std::vector<std::uint64_t>{4});
  EXPECT_EQ(tables->snapshot().entries(Table::issue_links_due), 1U);
  put(DueKind::nothing, {});
  EXPECT_EQ(tables->snapshot().entries(Table::issue_links_due), 0U);
  put(DueKind::changed, now);
  EXPECT_EQ(book.count_due(tables->snapshot(), DueKind::changed), 1U);
  EXPECT_EQ(SyncBook("hub2").count_due(tables->snapshot(), DueKind::changed), 0U);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { book.remove_link(batch, 4); }));
  EXPECT_EQ(tables->snapshot().entries(Table::issue_links_due), 0U);
  EXPECT_EQ(tables->snapshot().entries(Table::issue_links), 0U);
}

TEST_F(LocalIssues, WaitUntilTheDestinationHasHadTheirEvents) {
  const SyncBook book("hub");
  EXPECT_FALSE(book.forwarded(tables->snapshot(), 9));
  schema::Cursor cursor;
  cursor.set_next_sequence(10);
  schema::Destination destination;
  destination.add_deferred(9);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, Table::cursors, "upstream/hub", cursor);
    buffer::put_row(batch, Table::destinations, "hub", destination);
  }));
  EXPECT_TRUE(book.forwarded(tables->snapshot(), 8));
  EXPECT_FALSE(book.forwarded(tables->snapshot(), 9));
  EXPECT_FALSE(book.forwarded(tables->snapshot(), 10));
}

ApiVerdict verdict(unsigned status, std::string body = "{}", std::string type = "application/json") {
  ApiAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.content_type = std::move(type);
  return judge(answer).verdict;
}

TEST(ApiAnswer, SaysWhatToDo) {
  EXPECT_EQ(verdict(200), ApiVerdict::done);
  EXPECT_EQ(verdict(200, " [1]"), ApiVerdict::done);
  EXPECT_EQ(verdict(200, "<html>", "text/html"), ApiVerdict::later);
  EXPECT_EQ(verdict(204, ""), ApiVerdict::later);
  EXPECT_EQ(verdict(302), ApiVerdict::later);
  EXPECT_EQ(verdict(400), ApiVerdict::refused);
  EXPECT_EQ(verdict(401), ApiVerdict::held);
  EXPECT_EQ(verdict(403), ApiVerdict::held);
  EXPECT_EQ(verdict(404), ApiVerdict::gone);
  EXPECT_EQ(verdict(409), ApiVerdict::later);
  EXPECT_EQ(verdict(429), ApiVerdict::limited);
  EXPECT_EQ(verdict(500), ApiVerdict::later);
  ApiAnswer failed;
  failed.failure = "Connection refused";
  EXPECT_EQ(judge(failed).verdict, ApiVerdict::later);
}

TEST(ApiAnswer, OfTooManyRequestsSaysHowLongToWait) {
  using std::chrono::minutes;
  using std::chrono::seconds;
  ApiAnswer answer;
  EXPECT_EQ(pause_asked(answer, now), minutes(1));
  answer.limit_reset = "1700000009";
  EXPECT_EQ(pause_asked(answer, now), seconds(9));
  answer.limit_reset = "99999999999999999999";
  EXPECT_EQ(pause_asked(answer, now), minutes(1));
  answer.retry_after = "7";
  EXPECT_EQ(pause_asked(answer, now), seconds(7));
  answer.retry_after = "999999";
  EXPECT_EQ(pause_asked(answer, now), minutes(60));
  answer.retry_after = "0";
  EXPECT_EQ(pause_asked(answer, now), seconds(1));
}

}  // namespace
}  // namespace picket::upstream

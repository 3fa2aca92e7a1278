#include "api/digest/digest.h"

#include "api/digest/digest_fixture.h"
#include "api/digest/postings.h"
#include "relay/protocol/content_encoding.h"

#include <algorithm>
#include <thread>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

TEST_F(DigestTest, TurnsAnEventIntoAnIssue) {
  const auto id =
      receive_event(R"(,"exception":[{"type":"ValueError","value":"bad"}],"platform":"python",
    "logger":"shop","release":"1.0","environment":"prod","user":{"id":"5"},"tags":{"color":"red"})");
  digest_all();
  const auto issue = only_issue();
  EXPECT_EQ(issue.project(), test_project);
  EXPECT_EQ(issue.short_number(), 1U);
  EXPECT_EQ(issue.title(), "ValueError: bad");
  EXPECT_EQ(issue.type(), "error");
  EXPECT_EQ(issue.platform(), "python");
  EXPECT_EQ(issue.logger(), "shop");
  EXPECT_EQ(issue.level(), 40U);
  EXPECT_EQ(issue.status(), 0U);
  EXPECT_EQ(issue.substatus(), static_cast<std::uint32_t>(Substatus::new_));
  EXPECT_EQ(issue.priority(), 75U);
  EXPECT_EQ(issue.first_release(), "1.0");
  EXPECT_EQ(issue.first_seen_ms(), to_ms(clock.now()));
  EXPECT_EQ(relay::event_id_from_raw(issue.first_event_id()), *relay::parse_event_id(id));
  const auto found = counters_of(issue.id());
  EXPECT_EQ(found.times_seen(), 1U);
  EXPECT_EQ(found.users_seen(), 1U);
  EXPECT_EQ(found.last_release(), "1.0");
  EXPECT_EQ(found.last_seen_ms(), to_ms(clock.now()));
  EXPECT_EQ(tag_count(issue.id(), "color", "red").count(), 1U);
  EXPECT_EQ(tag_count(issue.id(), "user", "id:5").count(), 1U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 1}}));
  const auto project = row<schema::Project>(Table::projects, Key().u64(test_project));
  EXPECT_EQ(project.first_event_ms(), to_ms(clock.now()));
  EXPECT_EQ(project.next_short_id(), 2U);
  EXPECT_EQ(project.slug(), "shop");
}

TEST_F(DigestTest, WritesEveryIndexOfAnEvent) {
  const auto id = *relay::parse_event_id(receive_event(R"(,"message":"m","tags":{"color":"red"})"));
  digest_all();
  const auto issue = only_issue();
  const auto now = static_cast<std::uint64_t>(to_ms(clock.now()));
  const auto place = Key().u64(1).u16(0);
  const auto raw = relay::raw_bytes(id);
  const auto snapshot = tables->snapshot();
  EXPECT_EQ(buffer::find_event_id(snapshot, test_project, raw), (buffer::EventSpot{1, 0}));
  EXPECT_TRUE(snapshot.get(Table::events_by_issue, Key().u64(issue.id()).u64(now).raw(place)));
  EXPECT_TRUE(snapshot.get(Table::events_by_project, Key().u64(test_project).u64(now).raw(place)));
  EXPECT_TRUE(snapshot.get(Table::issues_by_last_seen,
                           Key().u64(test_project).descending(now).u64(issue.id())));
  EXPECT_EQ(snapshot.get(Table::short_ids, Key().u64(test_project).u64(1)),
            Key().u64(issue.id()).view());
  std::vector<std::uint64_t> tagged;
  const auto posting = posting_key(test_project, Key().text("color").text("red"), issue.id());
  read_postings(posting, snapshot.get(Table::issues_by_tag, posting).value_or(""), tagged);
  EXPECT_EQ(tagged, std::vector<std::uint64_t>{issue.id()});
  EXPECT_TRUE(snapshot.get(Table::project_tags, Key().u64(test_project).text("color").text("red")));
  const auto row_of = row<schema::EventRow>(Table::events, place);
  EXPECT_EQ(row_of.issue(), issue.id());
  EXPECT_EQ(row_of.project(), test_project);
  EXPECT_EQ(row_of.event_id(), raw);
  EXPECT_EQ(row_of.category(), static_cast<std::uint32_t>(relay::DataCategory::error));
  EXPECT_EQ(row_of.level(), 40U);
  EXPECT_EQ(rows(Table::issue_hashes), 1U);
  EXPECT_EQ(rows(Table::hashes_by_issue), 1U);
}

TEST_F(DigestTest, FindsTheIssueOfALaterEvent) {
  receive_event(R"(,"exception":[{"type":"A","value":"order 1"}],"release":"1")");
  digest_all();
  clock.advance(Duration(5000));
  const auto latest = receive_event(
      R"(,"exception":[{"type":"A","value":"order 2"}],"release":"2","level":"fatal")");
  receive_event(R"(,"message":"another")");
  digest_all();
  ASSERT_EQ(issues().size(), 2U);
  const auto issue = issues().front();
  EXPECT_EQ(issue.title(), "A: order 2");
  EXPECT_EQ(issue.first_release(), "1");
  const auto found = counters_of(issue.id());
  EXPECT_EQ(found.times_seen(), 2U);
  EXPECT_EQ(found.last_release(), "2");
  EXPECT_EQ(found.first_sequence(), 1U);
  EXPECT_EQ(found.last_sequence(), 2U);
  EXPECT_EQ(relay::event_id_from_raw(found.last_event_id()), *relay::parse_event_id(latest));
  EXPECT_EQ(rows(Table::issues_by_last_seen), 2U);
  EXPECT_EQ(issues().back().short_number(), 2U);
}

TEST_F(DigestTest, LeavesAHashWithTheIssueThatHasIt) {
  const auto crash = [&](std::string_view library, std::string_view in_app) {
    receive_event(R"(,"exception":[{"type":"A","stacktrace":{"frames":[{"module":"lib","function":")" +
                  std::string(library) + R"("},{"module":"own","function":"f","in_app":)" + std::string(in_app) +
                  "}]}}]");
    digest_all();
  };
  crash("one", "false");  // all frames
  crash("two", "true");   // the application's frames, and all
  ASSERT_EQ(issues().size(), 2U);
  crash("one", "true");  // the application's as the second, all as the first
  crash("one", "false");
  ASSERT_EQ(issues().size(), 2U);
  EXPECT_EQ(counters_of(issues().front().id()).times_seen(), 2U);
  EXPECT_EQ(counters_of(issues().back().id()).times_seen(), 2U);
}

TEST_F(DigestTest, CallsAnIssueAfterItsLatestEventNotItsLastToArrive) {
  receive_event(R"(,"fingerprint":["x"],"message":"newer")");
  receive_event(R"(,"fingerprint":["x"],"message":"older","timestamp":)" +
                std::to_string(to_ms(clock.now()) / 1000 - 100));
  digest_all();
  EXPECT_EQ(only_issue().title(), "newer");
  EXPECT_EQ(counters_of(only_issue().id()).last_seen_ms(), to_ms(clock.now()));
}

TEST_F(DigestTest, CountsAnEventOnceHoweverOftenItComes) {
  const auto body = envelope(item("event", R"({"message":"m"})"), id_text(1));
  receive(body);
  receive(body);
  digest_all();
  receive(body);
  digest_all();
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 1U);
  EXPECT_EQ(rows(Table::events), 1U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 1},
                                                              {"error invalid/duplicate", 2}}));
}

TEST_F(DigestTest, TakesTheSameIdInAnotherProjectForAnotherEvent) {
  add_project(8, "other");
  const auto body = envelope(item("event", R"({"message":"m"})"), id_text(1));
  receive(body);
  receive(body, 8);
  digest_all();
  EXPECT_EQ(issues().size(), 2U);
  EXPECT_EQ(outcomes(8), (std::map<std::string, std::uint64_t>{{"error accepted", 1}}));
}

TEST_F(DigestTest, PrefersTheIdThatWasAnswered) {
  buffer::Record record;
  record.received = clock.now();
  record.project = test_project;
  record.body =
      envelope(item("event", R"({"event_id":"00000000000000000000000000000009","message":"m"})"));
  schema::IntakeMeta meta;
  const auto answered = *relay::parse_event_id(id_text(3));
  meta.set_event_id(std::string(relay::raw_bytes(answered)));
  record.meta = meta.SerializeAsString();
  receive(std::move(record));
  digest_all();
  EXPECT_TRUE(knows(id_text(3)));
}

TEST_F(DigestTest, KeepsTwoEventsOfOneEnvelopeApartByTheirOwnIds) {
  receive(envelope(
      item("event", R"({"message":"one"})") +
          item("event", R"({"message":"two","event_id":"00000000000000000000000000000009"})") +
          item("event", R"({"message":"three"})"),
      id_text(1)));
  digest_all();
  EXPECT_EQ(rows(Table::events), 2U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 2},
                                                              {"error invalid/duplicate", 1}}));
}

TEST_F(DigestTest, GivesTransactionsARowButNoIssue) {
  receive(envelope(item("transaction", R"({"transaction":"/a","release":"1","environment":"e"})"),
                   id_text(1)));
  receive(envelope(item("event", R"({"type":"transaction","transaction":"/a"})"), id_text(2)));
  digest_all();
  EXPECT_EQ(rows(Table::issues), 0U);
  EXPECT_EQ(rows(Table::events_by_project), 0U);
  EXPECT_EQ(rows(Table::project_tags), 0U);
  EXPECT_EQ(row<schema::EventRow>(Table::events, Key().u64(1).u16(0)).issue(), 0U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"transaction accepted", 2}}));
  EXPECT_EQ(rows(Table::releases), 1U);
  EXPECT_EQ(rows(Table::environments), 1U);
}

TEST_F(DigestTest, KeepsOtherItemsAsRawRows) {
  receive(envelope(
      item("event", R"({"message":"m"})") + item("attachment", "12345", ",\"filename\":\"a\"") +
          item("session", "{}") + item("novelty", "?") +
          item("log", R"({"items":[]})",
               ",\"item_count\":3,\"content_type\":\"application/vnd.sentry.items.log+json\""),
      id_text(1)));
  receive(
      envelope(item("feedback", R"({"contexts":{"feedback":{"message":"nice"}}})"), id_text(2)));
  digest_all();
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 1},
                                                              {"attachment accepted", 5},
                                                              {"attachment_item accepted", 1},
                                                              {"session invalid/invalid_json", 1},
                                                              {"unknown accepted", 1},
                                                              {"feedback accepted", 1},
                                                              {"log_item accepted", 3},
                                                              {"log_byte accepted", 12}}));
  const auto raw = row<schema::RawItem>(Table::raw_items,
                                        Key().u64(test_project).text("attachment").u64(1).u16(1));
  EXPECT_EQ(raw.type(), "attachment");
  EXPECT_EQ(raw.received_ms(), to_ms(clock.now()));
  EXPECT_EQ(relay::event_id_from_raw(raw.event_id()), *relay::parse_event_id(id_text(1)));
  EXPECT_EQ(rows(Table::raw_items), 4U);
  EXPECT_EQ(rows(Table::issues), 2U);  // feedback has its own
}

TEST_F(DigestTest, CountsUsersOncePerIssue) {
  for (const auto* user : {"1", "2", "1"}) {
    receive_event(std::string(R"(,"message":"m","user":{"id":")") + user + "\"}");
  }
  digest_all();
  receive_event(R"(,"message":"m","user":{"id":"2"})");
  receive_event(R"(,"message":"m","user":{"id":"3"})");
  receive_event(R"(,"message":"m")");
  digest_all();
  EXPECT_EQ(counters_of(only_issue().id()).users_seen(), 3U);
}

TEST_F(DigestTest, FillsInTheAddressOfAUserWhoIsOnlyKnownByIt) {
  buffer::Record record;
  record.received = clock.now();
  record.project = test_project;
  record.body =
      envelope(item("event", R"({"message":"m","user":{"ip_address":"{{auto}}"}})"), id_text(1));
  schema::IntakeMeta meta;
  meta.set_remote_address("192.0.2.7");
  record.meta = meta.SerializeAsString();
  receive(std::move(record));
  digest_all();
  EXPECT_EQ(tag_count(only_issue().id(), "user", "ip:192.0.2.7").count(), 1U);
}

TEST_F(DigestTest, CountsTagsPerIssueAndProject) {
  receive_event(R"(,"message":"one","tags":{"color":"red"})");
  receive_event(R"(,"message":"one","tags":{"color":"blue"})");
  receive_event(R"(,"message":"two","tags":{"color":"red"})");
  digest_all();
  clock.advance(Duration(1000));
  receive_event(R"(,"message":"one","tags":{"color":"red"})");
  digest_all();
  const auto issue = issues().front().id();
  EXPECT_EQ(tag_count(issue, "color", "red").count(), 2U);
  EXPECT_EQ(tag_count(issue, "color", "red").last_seen_ms() -
                tag_count(issue, "color", "red").first_seen_ms(),
            1000);
  EXPECT_EQ(tag_count(issue, "color", "blue").count(), 1U);
  const auto whole =
      row<schema::TagCount>(Table::project_tags, Key().u64(test_project).text("color").text("red"));
  EXPECT_EQ(whole.count(), 3U);
}

TEST_F(DigestTest, CreatesReleasesAndEnvironmentsOnTheFly) {
  receive_event(R"(,"message":"one","release":"1.0","environment":"prod")");
  clock.advance(Duration(1000));
  receive_event(R"(,"message":"two","release":"1.0","environment":"prod")");
  receive_event(R"(,"message":"one","release":"2.0")");
  digest_all();
  EXPECT_EQ(rows(Table::releases), 2U);
  EXPECT_EQ(rows(Table::environments), 1U);
  const auto key = Key().u64(test_organization).text("1.0").u64(test_project);
  const auto release = row<schema::ReleaseProject>(Table::release_projects, key);
  EXPECT_EQ(release.events(), 2U);
  EXPECT_EQ(release.new_issues(), 2U);
  EXPECT_EQ(release.last_event_ms() - release.first_event_ms(), 1000);
  const auto second = row<schema::ReleaseProject>(
      Table::release_projects, Key().u64(test_organization).text("2.0").u64(test_project));
  EXPECT_EQ(second.new_issues(), 0U);
}

TEST_F(DigestTest, BringsAResolvedIssueBack) {
  receive_event(R"(,"message":"m")");
  digest_all();
  auto issue = only_issue();
  issue.set_status(static_cast<std::uint32_t>(Status::resolved));
  issue.set_substatus(0);
  issue.set_resolved_ms(to_ms(clock.now()));
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, Table::issues, Key().u64(issue.id()), issue);
  }));
  clock.advance(Duration(1000));
  const auto id = receive_event(R"(,"message":"m","release":"9")");
  receive_event(R"(,"message":"m")");
  digest_all();
  EXPECT_EQ(only_issue().status(), 0U);
  EXPECT_EQ(only_issue().substatus(), static_cast<std::uint32_t>(Substatus::regressed));
  ASSERT_EQ(rows(Table::activities), 1U);
  const auto snapshot = tables->snapshot();
  auto cursor = snapshot.cursor(Table::activities);
  ASSERT_TRUE(cursor.first());
  const auto activity = buffer::parse_row<schema::Activity>(cursor.value());
  EXPECT_EQ(activity.type(), "set_regression");
  EXPECT_EQ(activity.data_json(), "{\"event_id\":\"" + id + "\",\"version\":\"9\"}");
}

TEST_F(DigestTest, LeavesAnIssueResolvedInTheReleaseThatHasTheFix) {
  receive_event(R"(,"message":"m","release":"1.0.0")");
  digest_all();
  auto issue = only_issue();
  issue.set_status(static_cast<std::uint32_t>(Status::resolved));
  issue.set_status_details_json(R"({"inRelease":"1.1.0"})");
  issue.set_resolved_ms(to_ms(clock.now()));
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, Table::issues, Key().u64(issue.id()), issue);
  }));
  receive_event(R"(,"message":"m","release":"1.0.5")");
  digest_all();
  EXPECT_EQ(only_issue().status(), 1U);
  EXPECT_EQ(counters_of(issue.id()).times_seen(), 2U);
  receive_event(R"(,"message":"m","release":"1.2.0")");
  digest_all();
  EXPECT_EQ(only_issue().status(), 0U);
}

TEST_F(DigestTest, StartsAnIssueAnewWhenTheOldOneWasDeleted) {
  receive_event(R"(,"message":"m")");
  digest_all();
  const auto gone = only_issue().id();
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.remove(Table::issues, Key().u64(gone));
    batch.remove(Table::issue_counters, Key().u64(gone));
  }));
  receive_event(R"(,"message":"m")");
  digest_all();
  EXPECT_NE(only_issue().id(), gone);
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 1U);
}

TEST_F(DigestTest, FollowsAMergedIssueToWhereItWent) {
  receive_event(R"(,"message":"one")");
  receive_event(R"(,"message":"two")");
  digest_all();
  auto child = issues().back();
  const auto parent = issues().front().id();
  child.set_merged_into(parent);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    buffer::put_row(batch, Table::issues, Key().u64(child.id()), child);
  }));
  receive_event(R"(,"message":"two")");
  digest_all();
  EXPECT_EQ(counters_of(parent).times_seen(), 2U);
  EXPECT_EQ(counters_of(child.id()).times_seen(), 1U);
}

TEST_F(DigestTest, ReadsBodiesInTheCodingTheyAreKeptIn) {
  const auto body = envelope(item("event", R"({"message":"m"})"), id_text(1));
  buffer::Record record;
  record.received = clock.now();
  record.project = test_project;
  record.coding = static_cast<std::uint8_t>(relay::Coding::gzip);
  record.body = relay::encode_gzip(body, 6);
  receive(std::move(record));
  digest_all();
  EXPECT_EQ(only_issue().title(), "m");
}

TEST_F(DigestTest, ReturnsNothingToDoWhenItIsCaughtUp) {
  Digest digest(journal, *tables, clock, {});
  EXPECT_EQ(*digest.run_once(), 0U);
  receive_event(R"(,"message":"m")");
  EXPECT_EQ(*digest.run_once(), 1U);
  EXPECT_EQ(*digest.run_once(), 0U);
  EXPECT_EQ(digest.counters().events, 1U);
  EXPECT_EQ(digest.counters().next, 2U);
  EXPECT_EQ(digest.counters().lag, Duration(0));
}

TEST_F(DigestTest, SaysHowFarItIsBehind) {
  Digest digest(journal, *tables, clock, {});
  receive_event(R"(,"message":"m")");
  ASSERT_TRUE(digest.run_once());
  receive_event(R"(,"message":"m")");
  clock.advance(Duration(7000));
  EXPECT_EQ(digest.counters().lag, Duration(7000));
}

TEST_F(DigestTest, DigestsOnItsOwnThreadWithinASecond) {
  Digest digest(journal, *tables, clock, {});
  digest.start();
  for (int i = 0; i < 50; ++i)
    receive_event(R"(,"message":"m")");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (digest.counters().events < 50 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  digest.stop();
  EXPECT_EQ(digest.counters().events, 50U);
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 50U);
}

TEST_F(DigestTest, StopsAtOnceWhenThereIsNothingToDo) {
  Digest digest(journal, *tables, clock, {});
  digest.start();
  const auto start = std::chrono::steady_clock::now();
  digest.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
}

// A batch may have seconds of work left, and minutes where others use all the processors.
TEST_F(DigestTest, LeavesABatchThatItReadsWhenItIsToStop) {
  std::string frames;
  for (int i = 0; i < 200; ++i) frames += std::string(i > 0 ? "," : "") + R"({"function":"f)" + std::to_string(i) + R"(","filename":"some/where/in/the/application.py","lineno":3,"in_app":true})";
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i)
    receive_event(R"(,"exception":{"values":[{"type":"E)" + std::to_string(i) + R"(","stacktrace":{"frames":[)" + frames + "]}}]}");
  {
    Digest digest(journal, *tables, clock, {.linger = Duration(0)});
    digest.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    digest.stop();
    EXPECT_EQ(digest.counters().records, 0U);
    EXPECT_GT(*digest.run_once(), 0U) << "and goes on when it is asked to";
  }
  digest_all();
  EXPECT_EQ(issues().size(), std::size_t{count});
  EXPECT_EQ(rows(buffer::Table::events), std::uint64_t{count});
}

}  // namespace
}  // namespace picket::digest

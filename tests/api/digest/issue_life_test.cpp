// What ends an archive, what brings an issue back, and that digesting the same again, in other
// batches or after a restart, says the same.
#include "api/digest/issue_life.h"
#include "api/digest/issue_archive.h"
#include "api/digest/issue_escalation.h"
#include "api/digest/digest_fixture.h"

namespace picket::digest {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class IssueLife : public DigestTest {
 protected:
  // An event of the one issue, now.
  void event(std::string_view fields = "") {
    receive_event(R"(,"message":"out of paper")" + std::string(fields));
  }
  void user_event(int user) { event(",\"user\":{\"id\":\"" + std::to_string(user) + "\"}"); }
  void begin() {
    event();
    digest_all();
  }
  // What every Picket draws once: what it is called in stamps, and the key of its ids' hashes.
  void be_one_picket() {
    ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
      batch.put(buffer::Table::meta, "instance", "0123456789abcdef");
      batch.put(buffer::Table::meta, "event_id_secret", "0123456789abcdef");
    }));
  }
  void archive(Substatus substatus, const ArchiveConditions& conditions = {}, std::string_view details = "") {
    const auto written = tables->write([&](buffer::Batch& batch) {
      auto issue = only_issue();
      issue.set_status(static_cast<std::uint32_t>(Status::ignored));
      issue.set_substatus(static_cast<std::uint32_t>(substatus));
      issue.set_status_details_json(std::string(details));
      begin_archive(batch, issue, counters_of(issue.id()), conditions, clock.now());
      buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(issue.id()), issue);
    });
    ASSERT_TRUE(written);
  }
  void archive(const ArchiveConditions& conditions) {
    archive(Substatus::archived_until_condition_met, conditions, R"({"ignoreCount":3})");
  }
  bool archived() const { return status_of(only_issue()) == Status::ignored; }
  Substatus substatus() const { return static_cast<Substatus>(only_issue().substatus()); }
  std::vector<schema::Activity> activities() const {
    std::vector<schema::Activity> found;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(buffer::Table::activities);
    for (bool there = cursor.first(); there; there = cursor.next()) found.push_back(buffer::parse_row<schema::Activity>(cursor.value()));
    return found;
  }
};

TEST_F(IssueLife, AnArchiveForeverIsForever) {
  begin();
  archive(Substatus::archived_forever);
  for (int i = 0; i < 200; ++i) event();
  digest_all();
  clock.advance(hours(24 * 30));
  event();
  digest_all();
  EXPECT_TRUE(archived());
}

TEST_F(IssueLife, AnArchiveEndsWithItsTimeWithoutAnyEvent) {
  begin();
  const auto until = to_ms(clock.now()) + 60'000;
  archive({.until_ms = until});
  clock.advance(seconds(59));
  digest_all();
  EXPECT_TRUE(archived());
  clock.advance(seconds(4));
  digest_all();
  EXPECT_FALSE(archived());
  EXPECT_EQ(substatus(), Substatus::ongoing);
  ASSERT_EQ(activities().size(), 1U);
  EXPECT_EQ(activities().front().type(), "set_unresolved");
  EXPECT_EQ(activities().front().at_ms(), until);
  EXPECT_EQ(rows(buffer::Table::issue_due), 0U);
}

TEST_F(IssueLife, AnEventAfterThatTimeFindsItOver) {
  begin();
  archive({.until_ms = to_ms(clock.now()) + 60'000});
  clock.advance(seconds(60));
  event();
  digest_all();
  EXPECT_FALSE(archived());
  EXPECT_EQ(activities().size(), 1U);
}

TEST_F(IssueLife, ATimeThatNobodyWaitsForAnyMoreDoesNothing) {
  begin();
  archive({.until_ms = to_ms(clock.now()) + 60'000});
  archive({.until_ms = to_ms(clock.now()) + 3'600'000});
  clock.advance(minutes(5));
  digest_all();
  EXPECT_TRUE(archived());
  archive(Substatus::archived_forever);
  clock.advance(hours(2));
  digest_all();
  EXPECT_TRUE(archived());
}

TEST_F(IssueLife, AnArchiveEndsWithSoManyMoreEvents) {
  begin();
  archive({.count = 3});
  event();
  event();
  digest_all();
  EXPECT_TRUE(archived());
  clock.advance(hours(24 * 20));
  event();
  digest_all();
  EXPECT_FALSE(archived());
  EXPECT_EQ(substatus(), Substatus::escalating);
  EXPECT_EQ(rows(buffer::Table::issue_snoozes), 0U);
  ASSERT_EQ(activities().size(), 1U);
  EXPECT_EQ(activities().front().type(), "set_escalating");
  EXPECT_NE(activities().front().data_json().find(R"("expired_snooze":{"ignoreCount":3})"), std::string::npos);
  EXPECT_NE(activities().front().data_json().find(id_text(4)), std::string::npos);
}

TEST_F(IssueLife, EventsOutsideOfTheWindowDoNotAddUp) {
  begin();
  archive({.count = 3, .window_min = 60});
  for (int i = 0; i < 10; ++i) {
    clock.advance(minutes(31));
    event();
    digest_all();
    ASSERT_TRUE(archived()) << i;
  }
  clock.advance(minutes(10));
  event();
  clock.advance(minutes(10));
  event();
  digest_all();
  EXPECT_FALSE(archived());
}

TEST_F(IssueLife, OnlyNewUsersCountWhenThereIsNoWindow) {
  user_event(1);
  user_event(2);
  digest_all();
  archive({.users = 2});
  for (int i = 0; i < 20; ++i) user_event(i % 2 + 1);
  user_event(3);
  user_event(3);
  digest_all();
  EXPECT_TRUE(archived());
  user_event(4);
  digest_all();
  EXPECT_FALSE(archived());
}

TEST_F(IssueLife, UsersOfAWindowCountOnceEach) {
  begin();
  archive({.users = 3, .user_window_min = 60});
  for (int i = 0; i < 20; ++i) user_event(i % 2);
  event();
  digest_all();
  EXPECT_TRUE(archived());
  clock.advance(minutes(61));
  user_event(3);
  user_event(4);
  digest_all();
  EXPECT_TRUE(archived());
  user_event(5);
  digest_all();
  EXPECT_FALSE(archived());
}

TEST_F(IssueLife, AClockThatGoesBackLosesNoEventOfAWindow) {
  begin();
  archive({.count = 3, .window_min = 60});
  clock.advance(minutes(1));
  event();
  clock.advance(-hours(48));
  event();
  event();
  digest_all();
  EXPECT_FALSE(archived());
}

TEST_F(IssueLife, MoreEventsThanForeseenEndTheArchive) {
  begin();
  archive(Substatus::archived_until_escalating);
  EXPECT_EQ(only_issue().escalation_limit(), 10U);
  clock.advance(hours(1));
  for (int i = 0; i < 10; ++i) event();
  digest_all();
  EXPECT_TRUE(archived());
  event();
  digest_all();
  EXPECT_FALSE(archived());
  EXPECT_EQ(substatus(), Substatus::escalating);
  ASSERT_EQ(activities().size(), 1U);
  EXPECT_NE(activities().front().data_json().find("\"forecast\":10"), std::string::npos);
}

TEST_F(IssueLife, TheUsualNumberOfEventsIsNoEscalation) {
  for (int hour = 0; hour < 72; ++hour) {
    for (int i = 0; i < (hour % 24 == 12 ? 100 : 3); ++i) event();
    clock.advance(hours(1));
  }
  digest_all();
  archive(Substatus::archived_until_escalating);
  EXPECT_EQ(only_issue().escalation_limit(), 200U);
  for (int hour = 0; hour < 48; ++hour) {
    for (int i = 0; i < (hour % 24 == 12 ? 150 : 5); ++i) event();
    clock.advance(hours(1));
  }
  digest_all();
  EXPECT_TRUE(archived());
  for (int i = 0; i < 201; ++i) event();
  digest_all();
  EXPECT_FALSE(archived());
}

TEST_F(IssueLife, AForecastIsMadeAnewEachWeek) {
  begin();
  archive(Substatus::archived_until_escalating);
  // Ever more, but never more than twice as much as in the three days before.
  for (const int each : {9, 10, 10, 10, 10, 10, 10, 10}) {
    clock.advance(hours(24));
    for (int i = 0; i < each; ++i) event();
  }
  clock.advance(hours(1));
  for (int i = 0; i < 18; ++i) event();
  digest_all();
  EXPECT_TRUE(archived());
  EXPECT_EQ(only_issue().escalation_limit(), 20U);
}

TEST_F(IssueLife, EventsFromBeforeTheArchiveAreNoEscalation) {
  begin();
  clock.advance(hours(30));
  archive(Substatus::archived_until_escalating);
  const auto before = to_ms(clock.now()) / 1000 - 7200;
  for (int i = 0; i < 50; ++i) event(",\"timestamp\":" + std::to_string(before));
  digest_all();
  EXPECT_TRUE(archived());
}

TEST_F(IssueLife, WhatHasComeBackIsOngoingAWeekLater) {
  begin();
  const auto written = tables->write([&](buffer::Batch& batch) {
    auto issue = only_issue();
    issue.set_status(static_cast<std::uint32_t>(Status::resolved));
    issue.set_resolved_ms(to_ms(clock.now()));
    buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(issue.id()), issue);
  });
  ASSERT_TRUE(written);
  event();
  digest_all();
  EXPECT_EQ(substatus(), Substatus::regressed);
  EXPECT_EQ(only_issue().resolved_ms(), 0);
  clock.advance(hours(24 * 7) - minutes(1));
  digest_all();
  EXPECT_EQ(substatus(), Substatus::regressed);
  clock.advance(minutes(2));
  digest_all();
  EXPECT_EQ(substatus(), Substatus::ongoing);
  ASSERT_EQ(activities().size(), 2U);
  EXPECT_EQ(activities().front().type(), "auto_set_ongoing");
}

// Restarted after each batch, whatever its size.
TEST_F(IssueLife, TheSameRecordsSayTheSameInAnyBatches) {
  event();
  const auto start = clock.now();
  for (int i = 0; i < 40; ++i) {
    clock.advance(minutes(i % 7));
    i % 3 == 0 ? user_event(i % 5) : event();
  }
  const auto end = clock.now();
  std::vector<std::map<std::pair<int, std::string>, std::string>> told;
  for (const std::size_t batch_records : {1U, 3U, 4000U}) {
    tables = open_tables(folder / ("tables" + std::to_string(batch_records) + ".mdb"));
    add_project(test_project, "shop");
    be_one_picket();
    ASSERT_TRUE(Digest(journal, *tables, clock, {.batch_records = 1}).run_once());
    clock.set(start);
    archive({.count = 9, .window_min = 30, .users = 3});
    clock.set(end);
    for (int batch = 0; batch < 50; ++batch)
      ASSERT_TRUE(Digest(journal, *tables, clock, {.batch_records = batch_records}).run_once());
    EXPECT_FALSE(archived());
    told.push_back(everything());
    // When the cursor was written is another matter.
    std::erase_if(told.back(), [](const auto& entry) { return entry.first.first == static_cast<int>(buffer::Table::cursors); });
    EXPECT_TRUE(told.back() == told.front()) << batch_records;
  }
}

// The limit of an hour is reckoned with the same event whatever the batches.
TEST_F(IssueLife, AnIssueOutgrowsItsPastWithTheSameEventInAnyBatches) {
  event();
  clock.advance(hours(24 * 8));
  for (int hour = 0; hour < 5; ++hour) {
    for (int i = 0; i < 8 + 9 * hour; ++i) {
      clock.advance(seconds(40));
      event();
    }
    clock.advance(minutes(31));
  }
  std::vector<std::map<std::pair<int, std::string>, std::string>> told;
  for (const std::size_t batch_records : {1U, 7U, 4000U}) {
    tables = open_tables(folder / ("tables" + std::to_string(batch_records) + ".mdb"));
    add_project(test_project, "shop");
    be_one_picket();
    for (int batch = 0; batch < 160; ++batch)
      ASSERT_TRUE(Digest(journal, *tables, clock, {.batch_records = batch_records}).run_once());
    EXPECT_EQ(substatus(), Substatus::escalating);
    EXPECT_EQ(activities().size(), 1U);
    told.push_back(everything());
    std::erase_if(told.back(), [](const auto& entry) { return entry.first.first == static_cast<int>(buffer::Table::cursors); });
    EXPECT_TRUE(told.back() == told.front()) << batch_records;
  }
}

TEST(EscalationLimit, IsTwiceTheBusiestHourAndAtLeastTen) {
  schema::IssueCounters counters;
  EXPECT_EQ(escalation_limit(counters, 1000), 10U);
  const auto count = [&](std::int64_t hour, int times) {
    for (int i = 0; i < times; ++i) count_event(counters, time_from_ms(hour * 3'600'000));
  };
  count(900, 4);
  EXPECT_EQ(escalation_limit(counters, 900), 10U);
  count(901, 40);
  EXPECT_EQ(escalation_limit(counters, 901), 80U);
  // What came after the hour asked about is no past.
  EXPECT_EQ(escalation_limit(counters, 900), 10U);
}

TEST(EscalationLimit, SeesFourteenDaysBack) {
  schema::IssueCounters counters;
  for (int i = 0; i < 2400; ++i) count_event(counters, time_from_ms(24 * 100 * 3'600'000LL));
  const auto day = [](std::uint64_t days) { return 24 * (100 + days); };
  EXPECT_EQ(escalation_limit(counters, day(0)), 4800U);
  EXPECT_EQ(escalation_limit(counters, day(10)), 200U);
  EXPECT_EQ(escalation_limit(counters, day(20)), 10U);
}

TEST(ArchiveConditions, AWindowIsNeverLongerThanItSays) {
  schema::IssueSnooze snooze;
  snooze.set_count(2);
  snooze.set_window_min(60);
  EXPECT_FALSE(meets_condition(snooze, {.received_ms = 0}));
  EXPECT_FALSE(meets_condition(snooze, {.received_ms = 3'600'000}));
  EXPECT_TRUE(meets_condition(snooze, {.received_ms = 3'600'000 + 55 * 60'000 - 1}));
}

TEST(ArchiveConditions, ManyUsersTakeNoMoreThanTheirSets) {
  schema::IssueSnooze snooze;
  snooze.set_users(100'000);
  snooze.set_user_window_min(10);
  for (std::uint64_t i = 1; i < 1'000; ++i)
    EXPECT_FALSE(meets_condition(snooze, {.received_ms = static_cast<std::int64_t>(i), .user = i * 0x9e3779b97f4a7c15U}));
  EXPECT_LT(snooze.ByteSizeLong(), 5'000U);
}

}  // namespace
}  // namespace picket::digest

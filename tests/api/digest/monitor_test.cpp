// Check-ins: what they, and their absence, make of monitors and their issues.
#include "api/digest/digest_fixture.h"
#include "api/digest/monitor_incident.h"
#include "api/digest/monitor_state.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class Monitors : public DigestTest {
 protected:
  static constexpr std::string_view every_ten_minutes =
      R"(,"monitor_config":{"schedule":{"type":"interval","value":10,"unit":"minute"},"checkin_margin":2,"max_runtime":5)";

  // `more` are further members, with a leading comma.
  void check_in(std::string_view status, std::uint64_t id = 0, std::string_view more = "", std::string_view slug = "nightly") {
    receive(envelope(item("check_in", R"({"check_in_id":")" + id_text(id) + R"(","monitor_slug":")" + std::string(slug) +
                                          R"(","status":")" + std::string(status) + "\"" + std::string(more) + "}")));
    digest_all();
  }
  void configured(std::string_view status, std::uint64_t id = 0, std::string_view config = "", std::string_view more = "") {
    check_in(status, id, std::string(every_ten_minutes) + std::string(config) + "}" + std::string(more));
  }
  void pass(Duration time) {
    clock.advance(time);
    digest_all();
  }
  static constexpr Duration minutes(int count) { return Duration(count * 60'000); }

  std::vector<schema::CheckInRow> check_ins() const {  // oldest first
    std::vector<schema::CheckInRow> found;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(Table::check_ins);
    for (bool there = cursor.first(); there; there = cursor.next())
      found.insert(found.begin(), buffer::parse_row<schema::CheckInRow>(cursor.value()));
    return found;
  }
  std::string statuses() const {
    std::string all;
    for (const auto& row : check_ins())
      all += (all.empty() ? "" : " ") + std::string(wire_name(static_cast<CheckInStatus>(row.status())));
    return all;
  }
  schema::Monitor monitor(std::string_view slug = "nightly") const {
    return find_monitor(tables->snapshot(), test_project, slug).value_or(schema::Monitor());
  }
  schema::MonitorEnvironment environment(std::string_view name = "production") const {
    return row<schema::MonitorEnvironment>(Table::monitor_environments, Key().u64(monitor().id()).text(name));
  }
};

TEST_F(Monitors, InProgressThenOkIsOneCheckIn) {
  configured("in_progress", 1);
  pass(Duration(90'000));
  check_in("ok", 1);
  EXPECT_EQ(statuses(), "ok");
  EXPECT_EQ(check_ins().front().duration_ms(), 90'000);
  EXPECT_EQ(monitor().slug(), "nightly");
  EXPECT_TRUE(monitor().upserting());
  EXPECT_EQ(outcomes()["monitor accepted"], 2U);
  EXPECT_EQ(rows(Table::issues), 0U);
}

TEST_F(Monitors, AnIdOfZerosIsTheLatestInProgress) {
  configured("in_progress", 0);
  check_in("ok", 0, R"(,"duration":3.5)");
  EXPECT_EQ(statuses(), "ok");
  EXPECT_EQ(check_ins().front().duration_ms(), 3'500);
  check_in("ok", 0);
  EXPECT_EQ(statuses(), "ok ok");
}

TEST_F(Monitors, WhatHasEndedStaysAsItEnded) {
  configured("ok", 1);
  check_in("in_progress", 1);
  check_in("error", 1);
  EXPECT_EQ(statuses(), "ok");
  EXPECT_EQ(rows(Table::issues), 0U);
}

TEST_F(Monitors, AnUnknownMonitorWithoutConfigurationIsAnOutcome) {
  check_in("ok", 1);
  check_in("ok", 2, R"(,"monitor_config":{"schedule":{"type":"crontab","value":"not one"}})");
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"monitor invalid/monitor_not_found", 2}}));
  EXPECT_EQ(rows(Table::monitors), 0U);
}

TEST_F(Monitors, SlugsAreCutAndCleaned) {
  check_in("ok", 1, std::string(every_ten_minutes) + "}", "Nightly Backup: " + std::string(60, 'x'));
  EXPECT_EQ(monitor("nightly-backup-" + std::string(35, 'x')).slug().size(), 50U);
  check_in("ok", 1, "", "???");
  check_in("late", 1);
  receive(envelope(item("check_in", "{")));
  digest_all();
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{
                            {"monitor accepted", 1}, {"monitor invalid/invalid_check_in", 2}, {"monitor invalid/invalid_json", 1}}));
}

TEST_F(Monitors, AnErrorMakesAnIssueAndAnOkResolvesIt) {
  configured("error", 1, "", R"(,"release":"job@2","environment":"prod")");
  const auto issue = only_issue();
  EXPECT_EQ(issue.title(), "Cron failure: nightly");
  EXPECT_EQ(issue.culprit(), "An error check-in was detected");
  EXPECT_EQ(issue.issue_type(), "monitor_check_in_failure");
  EXPECT_EQ(issue.short_number(), 1U);
  EXPECT_EQ(counters_of(issue.id()).times_seen(), 1U);
  EXPECT_EQ(tag_count(issue.id(), "monitor.slug", "nightly").count(), 1U);
  EXPECT_EQ(tag_count(issue.id(), "release", "job@2").count(), 1U);
  EXPECT_EQ(incident_issue(tables->snapshot(), monitor(), "prod", check_ins().front().incident()), issue.id());
  check_in("error", 2, R"(,"environment":"prod")");
  EXPECT_EQ(counters_of(issue.id()).times_seen(), 2U);
  check_in("ok", 3, R"(,"environment":"prod")");
  EXPECT_EQ(only_issue().status(), static_cast<std::uint32_t>(Status::resolved));
  // The next incident is an issue of its own.
  check_in("error", 4, R"(,"environment":"prod")");
  EXPECT_EQ(rows(Table::issues), 2U);
  // No outcome counts what we say ourselves.
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"monitor accepted", 4}}));
}

TEST_F(Monitors, ThresholdsAreRespected) {
  constexpr std::string_view thresholds = R"(,"failure_issue_threshold":3,"recovery_threshold":2)";
  configured("error", 1, thresholds);
  configured("error", 2, thresholds);
  configured("ok", 3, thresholds);
  configured("error", 4, thresholds);
  configured("error", 5, thresholds);
  EXPECT_EQ(rows(Table::issues), 0U);
  configured("error", 6, thresholds);
  EXPECT_EQ(rows(Table::issues), 1U);
  configured("ok", 7, thresholds);
  EXPECT_EQ(only_issue().status(), static_cast<std::uint32_t>(Status::unresolved));
  configured("ok", 8, thresholds);
  EXPECT_EQ(only_issue().status(), static_cast<std::uint32_t>(Status::resolved));
}

TEST_F(Monitors, WhatDoesNotComeIsMissedOnceAfterItsMargin) {
  configured("ok", 1);
  pass(minutes(11));
  EXPECT_EQ(statuses(), "ok");
  pass(minutes(2));
  EXPECT_EQ(statuses(), "ok missed");
  EXPECT_EQ(only_issue().culprit(), "A missed check-in was detected");
  pass(minutes(1));
  EXPECT_EQ(statuses(), "ok missed");
  pass(minutes(10));
  EXPECT_EQ(statuses(), "ok missed missed");
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 2U);
  EXPECT_EQ(environment().failures(), 2U);
}

TEST_F(Monitors, ALongSilenceOfOursIsMissedOnce) {
  configured("ok", 1);
  pass(minutes(60 * 24));
  EXPECT_EQ(statuses(), "ok missed");
  pass(minutes(5));
  EXPECT_EQ(statuses(), "ok missed");
}

TEST_F(Monitors, WhatRunsTooLongTimesOut) {
  configured("in_progress", 1);
  pass(minutes(5) + Duration(3000));
  EXPECT_EQ(statuses(), "timeout");
  EXPECT_EQ(only_issue().culprit(), "A timeout check-in was detected");
  // The end that comes late does not make it right.
  check_in("ok", 1, R"(,"duration":400)");
  EXPECT_EQ(statuses(), "timeout");
  EXPECT_EQ(check_ins().front().duration_ms(), 400'000);
}

TEST_F(Monitors, WhatWaitsInTheJournalWasInTime) {
  configured("ok", 1);
  // Received in time, digested an hour later.
  clock.advance(minutes(9));
  receive(envelope(item("check_in", R"({"check_in_id":")" + id_text(2) + R"(","monitor_slug":"nightly","status":"ok"})")));
  clock.advance(Duration(60'000));
  receive(envelope(item("check_in", R"({"check_in_id":")" + id_text(3) + R"(","monitor_slug":"nightly","status":"ok"})")));
  clock.advance(minutes(5));
  digest_all();
  EXPECT_EQ(statuses(), "ok ok ok");
}

TEST_F(Monitors, AMissBetweenTwoCheckInsIsSeenWhenBothAreDigestedAtOnce) {
  configured("ok", 1);
  clock.advance(minutes(30));
  receive(envelope(item("check_in", R"({"check_in_id":")" + id_text(2) + R"(","monitor_slug":"nightly","status":"ok"})")));
  digest_all();
  EXPECT_EQ(statuses(), "ok missed ok");
  EXPECT_EQ(only_issue().status(), static_cast<std::uint32_t>(Status::resolved));
}

TEST_F(Monitors, AMutedOrDisabledMonitorIsSilent) {
  configured("ok", 1);
  auto changed = monitor();
  changed.set_muted(true);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { put_monitor(batch, changed); }));
  check_in("error", 2);
  EXPECT_EQ(rows(Table::issues), 0U);
  EXPECT_EQ(environment().status(), static_cast<std::uint32_t>(MonitorHealth::error));
  changed = monitor();
  changed.set_status(1);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    put_monitor(batch, changed);
    expect_anew(batch, changed, clock.now());
  }));
  check_in("ok", 3);
  EXPECT_EQ(outcomes()["monitor filtered/monitor_disabled"], 1U);
  pass(minutes(60));
  EXPECT_EQ(statuses(), "ok error");
}

TEST_F(Monitors, ADeletedMonitorLeavesNothing) {
  configured("in_progress", 1);
  configured("error", 2, "", R"(,"environment":"prod")");
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { delete_monitor(batch, monitor()); }));
  for (const auto table : {Table::monitors, Table::monitors_by_slug, Table::monitor_environments, Table::monitor_due, Table::check_ins, Table::check_ins_by_id}) {
    EXPECT_EQ(rows(table), 0U) << buffer::table_name(table);
  }
}

TEST_F(Monitors, ARestartMarksNothingTwice) {
  configured("in_progress", 1);
  for (int restart = 0; restart < 3; ++restart) {
    tables.reset();
    tables = open_tables(folder / "tables.mdb");
    pass(restart == 0 ? minutes(6) : Duration(3000));
  }
  EXPECT_EQ(statuses(), "timeout");
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 1U);
}

}  // namespace
}  // namespace picket::digest

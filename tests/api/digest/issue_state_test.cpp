#include "api/digest/issue_state.h"

#include <gtest/gtest.h>

namespace picket::digest {
namespace {

schema::Issue resolved(std::string_view details) {
  schema::Issue issue;
  issue.set_status(static_cast<std::uint32_t>(Status::resolved));
  issue.set_resolved_ms(1000);
  issue.set_status_details_json(std::string(details));
  return issue;
}

bool comes_back(const schema::Issue& issue, const Recurrence& recurrence) {
  return regresses(issue, resolution_of(issue), recurrence);
}

TEST(Regression, NeedsAResolvedIssue) {
  schema::Issue issue;
  EXPECT_FALSE(comes_back(issue, {.release = "1"}));
  issue.set_status(static_cast<std::uint32_t>(Status::ignored));
  EXPECT_FALSE(comes_back(issue, {.release = "1"}));
}

TEST(Regression, ComesWithAnyEventWhenResolvedWithoutARelease) {
  for (const auto* details :
       {"", "{}", "{\"actor\":{}}", "nonsense", "{\"inNextRelease\":false}"}) {
    EXPECT_TRUE(comes_back(resolved(details), {})) << details;
  }
}

TEST(Regression, NeedsANewerReleaseWhenResolvedInOne) {
  const auto issue = resolved(R"({"inRelease":"shop@1.2.0"})");
  EXPECT_FALSE(comes_back(issue, {.release = ""}));
  EXPECT_FALSE(comes_back(issue, {.release = "shop@1.2.0"}));
  EXPECT_FALSE(comes_back(issue, {.release = "shop@1.1.9", .release_ms = 9000}));
  EXPECT_TRUE(comes_back(issue, {.release = "shop@1.10.0", .release_ms = 1}));
}

TEST(Regression, GoesByTheTimeOfReleasesWithoutVersions) {
  const auto issue = resolved(R"({"inRelease":"abc"})");
  EXPECT_TRUE(comes_back(
      issue, {.release = "def", .release_ms = 20, .resolved_release_ms = 10}));
  EXPECT_FALSE(comes_back(
      issue, {.release = "def", .release_ms = 5, .resolved_release_ms = 10}));
  EXPECT_TRUE(comes_back(issue, {.release = "def", .release_ms = 1001}));
}

TEST(Regression, NeedsAReleaseAfterTheResolutionWhenResolvedInTheNext) {
  const auto issue = resolved(R"({"inNextRelease":true})");
  EXPECT_FALSE(comes_back(issue, {.release = ""}));
  EXPECT_FALSE(comes_back(issue, {.release = "9.9", .release_ms = 1000}));
  EXPECT_TRUE(comes_back(issue, {.release = "0.1", .release_ms = 1001}));
}

TEST(Regression, NeedsAReleaseNewerThanTheOneAtTheResolutionWhenResolvedInTheNext) {
  auto issue = resolved(R"({"inNextRelease":true})");
  issue.set_resolved_after("shop@1.2.0");
  EXPECT_FALSE(comes_back(issue, {.release = "shop@1.2.0", .release_ms = 9000}));
  EXPECT_FALSE(comes_back(issue, {.release = "shop@1.1.7", .release_ms = 9000}));
  EXPECT_TRUE(comes_back(issue, {.release = "shop@1.2.1", .release_ms = 1}));
  issue.set_resolved_after("abc");
  EXPECT_TRUE(comes_back(issue, {.release = "def", .release_ms = 20, .resolved_release_ms = 10}));
  EXPECT_FALSE(comes_back(issue, {.release = "def", .release_ms = 10, .resolved_release_ms = 10}));
}

TEST(Regression, OfACommitGoesByTheReleaseThatHasIt) {
  auto issue = resolved(R"({"inCommit":{"commit":"abc","repository":"shop"}})");
  EXPECT_TRUE(comes_back(issue, {.release = "1.0"}));
  issue.set_resolved_after("1.0");
  EXPECT_FALSE(comes_back(issue, {.release = "1.0"}));
  EXPECT_TRUE(comes_back(issue, {.release = "1.1"}));
}

TEST(Versions, CompareByNumberThenPrerelease) {
  EXPECT_EQ(compare_versions("1.2.3", "1.2.3"), 0);
  EXPECT_EQ(compare_versions("1.2", "1.2.0"), 0);
  EXPECT_EQ(compare_versions("a@1.10.0", "b@1.9.0"), 1);
  EXPECT_EQ(compare_versions("1.0.0-rc.1", "1.0.0"), -1);
  EXPECT_EQ(compare_versions("1.0.0-rc.2", "1.0.0-rc.10"), -1);
  EXPECT_EQ(compare_versions("1.0.0-1", "1.0.0-a"), -1);
  EXPECT_EQ(compare_versions("1.0.0-a", "1.0.0-a.b"), -1);
  EXPECT_EQ(compare_versions("v1.0.0+7", "1.0.0+8"), 0);
  for (const auto* none :
       {"", "abc", "7", "1.", "1..2", "1.2.3.4.5", "1.x", "99999999999999999999.1"}) {
    EXPECT_EQ(compare_versions(none, "1.0.0"), std::nullopt) << none;
  }
}

TEST(Substatus, IsNewForAWeek) {
  schema::Issue issue;
  issue.set_substatus(static_cast<std::uint32_t>(Substatus::new_));
  issue.set_first_seen_ms(1'000);
  const Duration week(std::int64_t{7} * 24 * 3600 * 1000);
  EXPECT_EQ(substatus_at(issue, time_from_ms(1'000) + week), Substatus::new_);
  EXPECT_EQ(substatus_at(issue, time_from_ms(1'001) + week), Substatus::ongoing);
}

TEST(Priority, FollowsLevelAndWhetherAnErrorWasHandled) {
  EXPECT_EQ(priority_of(EventLevel::info, std::nullopt), Priority::low);
  EXPECT_EQ(priority_of(EventLevel::debug, false), Priority::low);
  EXPECT_EQ(priority_of(EventLevel::warning, false), Priority::medium);
  EXPECT_EQ(priority_of(EventLevel::error, std::nullopt), Priority::high);
  EXPECT_EQ(priority_of(EventLevel::error, false), Priority::high);
  EXPECT_EQ(priority_of(EventLevel::error, true), Priority::medium);
  EXPECT_EQ(priority_of(EventLevel::fatal, true), Priority::high);
}

TEST(Names, OfStatesGoBothWays) {
  for (const auto status : {Status::unresolved, Status::resolved, Status::ignored}) {
    EXPECT_EQ(parse_status(wire_name(status)), status);
  }
  for (int i = 1; i <= 7; ++i) {
    EXPECT_EQ(parse_substatus(wire_name(static_cast<Substatus>(i))), static_cast<Substatus>(i));
  }
  for (const auto priority : {Priority::low, Priority::medium, Priority::high}) {
    EXPECT_EQ(parse_priority(wire_name(priority)), priority);
  }
  EXPECT_EQ(parse_substatus(""), std::nullopt);
}

constexpr std::int64_t hour_ms = 3'600'000;

std::uint32_t hour_count(const schema::IssueCounters& counters, std::uint64_t hour) {
  if (hour < counters.hour_start()) return 0;
  const auto index = static_cast<int>(hour - counters.hour_start());
  return index < counters.hours_size() ? counters.hours(index) : 0;
}

TEST(Counts, FallIntoTheirHourAndDay) {
  schema::IssueCounters counters;
  for (const std::int64_t ms :
       {100 * hour_ms - 1, 100 * hour_ms, 100 * hour_ms + 5, 103 * hour_ms}) {
    count_event(counters, time_from_ms(ms));
  }
  EXPECT_EQ(counters.hour_start(), 99U);
  EXPECT_EQ(hour_count(counters, 99), 1U);
  EXPECT_EQ(hour_count(counters, 100), 2U);
  EXPECT_EQ(hour_count(counters, 101), 0U);
  EXPECT_EQ(hour_count(counters, 103), 1U);
  EXPECT_EQ(counters.day_start(), 4U);
  ASSERT_EQ(counters.days_size(), 1);
  EXPECT_EQ(counters.days(0), 4U);
}

TEST(Counts, GrowBackwardsForLateEvents) {
  schema::IssueCounters counters;
  count_event(counters, time_from_ms(100 * hour_ms));
  count_event(counters, time_from_ms(97 * hour_ms));
  EXPECT_EQ(counters.hour_start(), 97U);
  EXPECT_EQ(hour_count(counters, 97), 1U);
  EXPECT_EQ(hour_count(counters, 98), 0U);
  EXPECT_EQ(hour_count(counters, 100), 1U);
}

TEST(Counts, ReachBackSeventyTwoHoursAndNinetyDays) {
  schema::IssueCounters counters;
  count_event(counters, time_from_ms(0));
  for (std::int64_t hour = 1; hour < 24 * 200; ++hour)
    count_event(counters, time_from_ms(hour * hour_ms));
  EXPECT_EQ(counters.hours_size(), 72);
  EXPECT_EQ(counters.days_size(), 90);
  EXPECT_EQ(hour_count(counters, 24 * 200 - 1), 1U);
  EXPECT_EQ(counters.days(0), 24U);
  count_event(counters, time_from_ms(0));
  EXPECT_EQ(counters.hours_size(), 72);
  count_event(counters, time_from_ms(100'000 * hour_ms));
  EXPECT_EQ(counters.hours_size(), 1);
  EXPECT_EQ(counters.hour_start(), 100'000U);
  EXPECT_EQ(counters.days_size(), 1);
}

TEST(Counts, TakeTimesBeforeTheEpochAsTheEpoch) {
  schema::IssueCounters counters;
  count_event(counters, time_from_ms(-5));
  EXPECT_EQ(counters.hour_start(), 0U);
}

TEST(Counts, OfTwoIssuesAddUpHourByHour) {
  schema::IssueCounters a;
  schema::IssueCounters b;
  for (const std::int64_t hour : {100, 100, 101}) count_event(a, time_from_ms(hour * hour_ms));
  for (const std::int64_t hour : {98, 101, 105}) count_event(b, time_from_ms(hour * hour_ms));
  add_counts(a, b);
  EXPECT_EQ(hour_count(a, 98), 1U);
  EXPECT_EQ(hour_count(a, 100), 2U);
  EXPECT_EQ(hour_count(a, 101), 2U);
  EXPECT_EQ(hour_count(a, 105), 1U);
  EXPECT_EQ(a.days(0), 6U);
  add_counts(a, schema::IssueCounters());
  EXPECT_EQ(hour_count(a, 101), 2U);
}

TEST(Counts, AnEventThatIsTakenOutIsTakenOutOfItsHour) {
  schema::IssueCounters counters;
  for (const std::int64_t hour : {100, 100, 101}) count_event(counters, time_from_ms(hour * hour_ms));
  take_event(counters, time_from_ms(100 * hour_ms));
  take_event(counters, time_from_ms(7 * hour_ms));
  take_event(counters, time_from_ms(900 * hour_ms));
  EXPECT_EQ(hour_count(counters, 100), 1U);
  EXPECT_EQ(hour_count(counters, 101), 1U);
  EXPECT_EQ(counters.days(0), 2U);
}

}  // namespace
}  // namespace picket::digest

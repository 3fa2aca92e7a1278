// Merging, taking apart, discarding: what moves at once, what follows, and what the digest does with
// events that come meanwhile.
#include "api/digest/issue_move.h"
#include "api/digest/deletion.h"
#include "api/digest/digest_fixture.h"
#include "api/digest/postings.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class IssueMove : public DigestTest {
 protected:
  // An event whose message makes its issue. `n` is a tag and the user.
  std::string event(std::string_view kind, int n = 1) {
    clock.advance(Duration(1000));
    return receive_event(R"(,"fingerprint":[")" + std::string(kind) + R"("],"message":")" + std::string(kind) + R"(","tags":{"n":")" +
                         std::to_string(n) + R"("},"user":{"id":")" + std::to_string(n) + "\"}");
  }
  void write(const std::function<void(buffer::Batch&)>& change) { ASSERT_TRUE(tables->write(change)); }
  void merge(std::uint64_t target, std::vector<std::uint64_t> sources) {
    write([&](buffer::Batch& batch) { merge_issues(batch, target, sources); });
  }
  void follow() {
    const auto done = continue_moves(*tables, journal, ~std::size_t{0});
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_TRUE(*done);
  }
  schema::Issue issue(std::uint64_t id) const { return row<schema::Issue>(Table::issues, Key().u64(id)); }
  std::uint64_t count_under(Table table, std::uint64_t issue) const {
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(table);
    std::uint64_t count = 0;
    const auto prefix = Key().u64(issue);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next()) ++count;
    return count;
  }
  std::vector<GroupingHash> hashes_of_issue(std::uint64_t issue) const {
    std::vector<GroupingHash> hashes;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(Table::hashes_by_issue);
    const auto prefix = Key().u64(issue);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
      auto& hash = hashes.emplace_back();
      std::copy_n(cursor.key().substr(8).begin(), 16, hash.bytes.begin());
    }
    return hashes;
  }
  std::uint64_t split(std::uint64_t from, const std::vector<GroupingHash>& hashes) {
    std::uint64_t made = 0;
    write([&](buffer::Batch& batch) { made = split_issue(batch, issue(from), hashes); });
    return made;
  }
};

TEST_F(IssueMove, AMergeHidesTheSourceAtOnceAndAddsItsCounts) {
  event("a", 1);
  event("b", 1);
  event("b", 2);
  digest_all();
  merge(2, {1});
  EXPECT_EQ(issue(1).merged_into(), 2U);
  EXPECT_EQ(issue(2).merged_into(), 0U);
  EXPECT_EQ(counters_of(2).times_seen(), 3U);
  EXPECT_EQ(rows(Table::issues_by_last_seen), 1U);
  EXPECT_EQ(rows(Table::issue_counters), 1U);
  EXPECT_EQ(issue(2).first_seen_ms(), issue(1).first_seen_ms());
  EXPECT_EQ(hashes_of_issue(2).size(), 2U);
  EXPECT_EQ(hashes_of_issue(1).size(), 0U);
}

TEST_F(IssueMove, EventsTagsAndUsersFollow) {
  event("a", 1);
  event("a", 3);
  event("b", 1);
  event("b", 2);
  digest_all();
  EXPECT_EQ(counters_of(1).users_seen(), 2U);
  merge(2, {1});
  follow();
  EXPECT_EQ(count_under(Table::events_by_issue, 2), 4U);
  EXPECT_EQ(count_under(Table::events_by_issue, 1), 0U);
  EXPECT_EQ(count_under(Table::issue_tags, 1), 0U);
  EXPECT_EQ(counters_of(2).users_seen(), 3U);
  EXPECT_EQ(tag_count(2, "n", "1").count(), 2U);
  EXPECT_EQ(tag_count(2, "n", "3").count(), 1U);
  const auto snapshot = tables->snapshot();
  auto cursor = snapshot.cursor(Table::events);
  for (bool there = cursor.first(); there; there = cursor.next())
    EXPECT_EQ(buffer::parse_row<schema::EventRow>(cursor.value()).issue(), 2U);
  std::vector<std::uint64_t> with_tag;
  cursor = snapshot.cursor(Table::issues_by_tag);
  for (bool there = cursor.first(); there; there = cursor.next()) read_postings(cursor.key(), cursor.value(), with_tag);
  for (const auto id : with_tag) EXPECT_EQ(id, 2U);
}

TEST_F(IssueMove, EventsThatComeMeanwhileAreFiledUnderTheTarget) {
  event("a");
  event("b");
  digest_all();
  merge(2, {1});
  event("a", 7);
  // The digest moves what remains when it has nothing else to do.
  digest_all();
  EXPECT_EQ(counters_of(2).times_seen(), 3U);
  EXPECT_EQ(count_under(Table::events_by_issue, 2), 3U);
  EXPECT_EQ(counters_of(2).users_seen(), 2U);
  EXPECT_EQ(rows(Table::issues), 2U);
}

TEST_F(IssueMove, MergesOfMergesMakeNoChainsAndNoCircles) {
  for (const auto* kind : {"a", "b", "c"}) event(kind);
  digest_all();
  merge(2, {1});
  merge(3, {2});
  EXPECT_EQ(issue(1).merged_into(), 3U);
  EXPECT_EQ(issue(2).merged_into(), 3U);
  merge(3, {3, 1, 2, 99});
  write([&](buffer::Batch& batch) {
    const std::vector<std::uint64_t> sources{3};
    merge_issues(batch, 1, sources);
  });
  follow();
  // 1 has been merged: the last call made 3 part of what is no issue of its own. It must not have.
  EXPECT_EQ(issue(3).merged_into(), 0U);
  EXPECT_EQ(count_under(Table::events_by_issue, 3), 3U);
  EXPECT_EQ(counters_of(3).times_seen(), 3U);
}

TEST_F(IssueMove, AMergeThatIsInterruptedGoesOnWhereItWas) {
  for (int i = 0; i < 30; ++i) event("a", i);
  event("b", 5);
  digest_all();
  merge(2, {1});
  for (int i = 0; i < 4; ++i) {
    const auto part = continue_moves(*tables, journal, 10);
    ASSERT_TRUE(part);
    ASSERT_FALSE(*part);
    tables.reset();
    tables = open_tables(folder / "tables.mdb");
    // At any time each event is in one list.
    EXPECT_EQ(rows(Table::events_by_issue), 31U);
  }
  follow();
  EXPECT_EQ(count_under(Table::events_by_issue, 2), 31U);
  EXPECT_EQ(counters_of(2).users_seen(), 30U);
}

TEST_F(IssueMove, DeletingTheTargetDeletesWhatIsStillOnItsWay) {
  const auto first = event("a", 1);
  const auto second = event("b", 2);
  digest_all();
  merge(2, {1});
  const std::vector<std::uint64_t> gone{2};
  ASSERT_TRUE(hide_issues(*tables, gone));
  digest_all();
  EXPECT_FALSE(knows(first) || knows(second));
  for (const auto table : {Table::issues, Table::issue_counters, Table::events, Table::events_by_issue,
                           Table::short_ids, Table::issue_hashes, Table::hashes_by_issue, Table::issue_tags})
    EXPECT_EQ(rows(table), 0U) << buffer::table_name(table);
  event("a");
  digest_all();
  EXPECT_EQ(counters_of(3).times_seen(), 1U);
}

TEST_F(IssueMove, TakingApartGivesEachItsEventsCountsAndTags) {
  event("a", 1);
  event("a", 2);
  const auto first_b = event("b", 2);
  const auto last_b = event("b", 3);
  digest_all();
  const auto hashes = hashes_of_issue(2);
  merge(1, {2});
  follow();
  ASSERT_EQ(counters_of(1).times_seen(), 4U);
  ASSERT_EQ(counters_of(1).users_seen(), 3U);
  const auto made = split(1, hashes);
  EXPECT_TRUE(is_moving(tables->snapshot(), 1));
  follow();
  EXPECT_FALSE(is_moving(tables->snapshot(), 1));
  EXPECT_EQ(counters_of(1).times_seen(), 2U);
  EXPECT_EQ(counters_of(1).users_seen(), 2U);
  EXPECT_EQ(counters_of(made).times_seen(), 2U);
  EXPECT_EQ(counters_of(made).users_seen(), 2U);
  EXPECT_EQ(tag_count(1, "n", "2").count(), 1U);
  EXPECT_EQ(tag_count(1, "n", "3").count(), 0U);
  EXPECT_EQ(tag_count(made, "n", "3").count(), 1U);
  EXPECT_EQ(issue(made).title(), "b");
  EXPECT_EQ(issue(1).title(), "a");
  EXPECT_EQ(issue(made).short_number(), 3U);
  EXPECT_EQ(relay::render_event_id(*relay::event_id_from_raw(issue(made).first_event_id())), first_b);
  EXPECT_EQ(relay::render_event_id(*relay::event_id_from_raw(counters_of(made).last_event_id())), last_b);
  EXPECT_LT(counters_of(1).last_seen_ms(), counters_of(made).last_seen_ms());
  EXPECT_EQ(rows(Table::issues_by_last_seen), 2U);
  event("b", 9);
  event("a", 9);
  digest_all();
  EXPECT_EQ(counters_of(1).times_seen(), 3U);
  EXPECT_EQ(counters_of(made).times_seen(), 3U);
  EXPECT_EQ(count_under(Table::events_by_issue, made), 3U);
}

TEST_F(IssueMove, TakingApartOfManyGoesInSteps) {
  for (int i = 0; i < 450; ++i) event(i % 2 == 0 ? "a" : "b", i % 10);
  digest_all();
  const auto hashes = hashes_of_issue(2);
  merge(1, {2});
  follow();
  const auto made = split(1, hashes);
  ASSERT_TRUE(continue_moves(*tables, journal, 100));
  EXPECT_TRUE(is_moving(tables->snapshot(), 1));
  event("b", 3);
  digest_all();
  EXPECT_FALSE(is_moving(tables->snapshot(), 1));
  EXPECT_EQ(counters_of(1).times_seen(), 225U);
  EXPECT_EQ(counters_of(made).times_seen(), 226U);
  EXPECT_EQ(counters_of(1).users_seen(), 5U);
  EXPECT_EQ(counters_of(made).users_seen(), 5U);
}

TEST_F(IssueMove, WhatIsTakenApartCanBeMergedAgain) {
  event("a", 1);
  event("b", 2);
  digest_all();
  const auto hashes = hashes_of_issue(2);
  merge(1, {2});
  follow();
  const auto made = split(1, hashes);
  follow();
  merge(1, {made});
  follow();
  EXPECT_EQ(counters_of(1).times_seen(), 2U);
  EXPECT_EQ(counters_of(1).users_seen(), 2U);
  EXPECT_EQ(count_under(Table::events_by_issue, 1), 2U);
  EXPECT_EQ(rows(Table::events_by_issue), 2U);
}

TEST_F(IssueMove, DiscardedKindsAreCountedAndLeaveNothing) {
  event("a");
  digest_all();
  write([&](buffer::Batch& batch) { discard_issue(batch, issue(1), 0, clock.now()); });
  const auto id = event("a");
  event("b");
  digest_all();
  event("a");
  digest_all();
  EXPECT_EQ(rows(Table::issues), 1U);
  EXPECT_EQ(rows(Table::events), 1U);
  EXPECT_FALSE(knows(id));
  auto sums = outcomes();
  EXPECT_EQ(sums["error accepted"], 2U);
  EXPECT_EQ(sums["error filtered/discarded-hash"], 2U);
  // The same once more is no duplicate: it was never kept.
  receive(envelope(item("event", R"({"fingerprint":["a"],"message":"a"})"), id));
  digest_all();
  EXPECT_EQ(outcomes()["error filtered/discarded-hash"], 3U);
  EXPECT_EQ(outcomes()["error invalid/duplicate"], 0U);
}

TEST_F(IssueMove, WithoutItsTombstoneAKindComesIn) {
  event("a");
  digest_all();
  std::uint64_t stone = 0;
  write([&](buffer::Batch& batch) { stone = discard_issue(batch, issue(1), 0, clock.now()); });
  bool removed = false;
  write([&](buffer::Batch& batch) { removed = remove_tombstone(batch, test_project, stone); });
  EXPECT_TRUE(removed);
  write([&](buffer::Batch& batch) { removed = remove_tombstone(batch, test_project, stone); });
  EXPECT_FALSE(removed);
  event("a");
  digest_all();
  EXPECT_EQ(counters_of(2).times_seen(), 1U);
}

}  // namespace
}  // namespace picket::digest

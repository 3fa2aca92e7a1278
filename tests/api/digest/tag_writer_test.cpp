// Batches whose tags wait to be added to the rows (waiting_tags.h), through the digest.
#include "api/digest/deletion.h"
#include "api/digest/digest_fixture.h"
#include "api/digest/issue_move.h"
#include "api/digest/issue_tags.h"
#include "api/digest/postings.h"

#include <algorithm>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class TagWriterTest : public DigestTest {
 protected:
  // Of `issues` kinds, in turns, each with one of three users.
  void receive_events(int count, int issues) {
    for (int i = 0; i < count; ++i) {
      clock.advance(Duration(10));
      receive_event(R"(,"fingerprint":["k)" + std::to_string(i % issues) + R"("],"tags":{"color":")" + (i % 2 == 0 ? "red" : "blue") +
                    R"("},"user":{"id":")" + std::to_string(i % 7 % 3) + "\"}");
    }
  }
  // All that is there, but so that tags wait that would be added when nothing comes any more.
  void digest_once() {
    Digest digest(journal, *tables, clock, {});
    ASSERT_TRUE(digest.run_once());
  }
  std::map<std::string, std::uint64_t> tags_of_issue(std::uint64_t issue) const {
    std::map<std::string, std::uint64_t> counts;
    const auto snapshot = tables->snapshot();
    IssueTags(snapshot).for_each(issue, "", [&](std::string_view tag, const schema::TagCount& count) {
      std::string name(tag);
      std::ranges::replace(name, '\0', ' ');
      counts[name] = count.count();
      return true;
    });
    return counts;
  }
  static void without_times(std::map<std::pair<int, std::string>, std::string>& all) {
    std::erase_if(all, [](const auto& entry) { return entry.first.first == static_cast<int>(Table::cursors); });
  }
};

TEST_F(TagWriterTest, RowsAreTheSameInTheEndWhateverTheBatchSize) {
  receive_events(900, 150);
  digest_all({.batch_records = 5});
  auto small = everything();
  const std::string secret(tables->snapshot().get(Table::meta, "event_id_secret").value_or(""));
  tables.reset();
  tables = open_tables(folder / "again.mdb");
  add_project(test_project, "shop");
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { batch.put(Table::meta, "event_id_secret", secret); }));
  for (int batch = 0; batch < 3; ++batch) {
    Digest digest(journal, *tables, clock, {.batch_records = 300});
    ASSERT_TRUE(digest.run_once());
    EXPECT_EQ(rows(Table::tag_runs), static_cast<std::uint64_t>(batch + 1));
  }
  digest_all();
  EXPECT_EQ(rows(Table::tag_runs), 0U);
  auto large = everything();
  without_times(small);
  without_times(large);
  EXPECT_EQ(small, large);
}

TEST_F(TagWriterTest, UsersAreCountedOnceWhileTheirTagsWait) {
  receive_events(300, 100);
  digest_once();
  receive_events(300, 100);
  digest_once();
  EXPECT_EQ(rows(Table::tag_runs), 2U);
  std::uint64_t users = 0;
  for (std::uint64_t issue = 1; issue <= 100; ++issue) {
    const auto tags = tags_of_issue(issue);
    const auto held = std::ranges::count_if(tags, [](const auto& tag) { return tag.first.starts_with("user id:"); });
    EXPECT_EQ(counters_of(issue).users_seen(), static_cast<std::uint64_t>(held));
    users += counters_of(issue).users_seen();
  }
  EXPECT_GT(users, 200U);
}

TEST_F(TagWriterTest, AMergeTakesAlongWhatWaits) {
  receive_events(300, 100);
  digest_once();
  auto wanted = tags_of_issue(3);
  for (const auto& [tag, count] : tags_of_issue(80)) wanted[tag] += count;
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { merge_issues(batch, 3, std::vector<std::uint64_t>{80}); }));
  const auto moved = continue_moves(*tables, journal, ~std::size_t{0});
  ASSERT_TRUE(moved && *moved);
  EXPECT_GT(rows(Table::tag_runs), 0U);
  EXPECT_EQ(tags_of_issue(3), wanted);
  EXPECT_TRUE(tags_of_issue(80).empty());
  std::vector<std::uint64_t> holders;
  WaitingTags(tables->snapshot()).holders(test_project, Key().text("color").text("red"), holders);
  EXPECT_EQ(std::ranges::count(holders, 80U), 0);
  digest_all();
  EXPECT_EQ(tags_of_issue(3), wanted);
  EXPECT_TRUE(tags_of_issue(80).empty());
  const auto users = std::ranges::count_if(wanted, [](const auto& tag) { return tag.first.starts_with("user id:"); });
  EXPECT_EQ(counters_of(3).users_seen(), static_cast<std::uint64_t>(users));
}

TEST_F(TagWriterTest, WhatIsTakenApartKeepsItsTagsWhileTheyWait) {
  receive_events(300, 100);
  digest_once();
  const auto before = tags_of_issue(5);
  std::vector<GroupingHash> hashes(1);
  {
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(Table::hashes_by_issue);
    ASSERT_TRUE(cursor.seek(Key().u64(5)));
    std::copy_n(cursor.key().substr(8).begin(), 16, hashes.front().bytes.begin());
  }
  std::uint64_t made = 0;
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { made = split_issue(batch, row<schema::Issue>(Table::issues, Key().u64(5)), hashes); }));
  const auto moved = continue_moves(*tables, journal, ~std::size_t{0});
  ASSERT_TRUE(moved && *moved);
  auto after = tags_of_issue(5);
  for (const auto& [tag, count] : tags_of_issue(made)) after[tag] += count;
  EXPECT_EQ(after, before);
  EXPECT_FALSE(tags_of_issue(made).empty());
}

TEST_F(TagWriterTest, ADeletedIssueLeavesNothingThatWaits) {
  receive_events(300, 100);
  digest_once();
  const std::vector<std::uint64_t> doomed{1, 64, 100};
  ASSERT_TRUE(hide_issues(*tables, doomed));
  const auto gone = continue_deletions(*tables, ~std::size_t{0});
  ASSERT_TRUE(gone && *gone);
  for (const auto issue : doomed) EXPECT_TRUE(tags_of_issue(issue).empty());
  digest_all();
  for (const auto issue : doomed) EXPECT_TRUE(tags_of_issue(issue).empty());
  const auto snapshot = tables->snapshot();
  std::vector<std::uint64_t> holders;
  auto cursor = snapshot.cursor(Table::issues_by_tag);
  for (bool there = cursor.first(); there; there = cursor.next()) read_postings(cursor.key(), cursor.value(), holders);
  for (const auto issue : doomed) EXPECT_EQ(std::ranges::count(holders, issue), 0);
  EXPECT_EQ(std::ranges::count(holders, 2U) > 0, true);
}

TEST_F(TagWriterTest, StoppingAddsWhatWaitsSoThatAnOlderPicketMayFollow) {
  receive_events(300, 100);
  digest_once();
  EXPECT_EQ(rows(Table::tag_runs), 1U);
  Digest digest(journal, *tables, clock, {});
  digest.start();
  digest.stop();
  EXPECT_EQ(rows(Table::tag_runs), 0U);
}

}  // namespace
}  // namespace picket::digest

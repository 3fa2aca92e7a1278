#include "buffer/retention.h"

#include "buffer/journal_support.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <gtest/gtest.h>

#include <thread>

namespace picket::buffer {
namespace {

using namespace std::chrono_literals;
using testing::append;
using testing::append_each;
using testing::FakeClock;
using testing::open_journal;
using testing::record_of;
using testing::small_options;
using testing::TempDir;

class RetentionTest : public ::testing::Test {
 protected:
  RetentionTest() {
    options_.max_bytes = std::uint64_t{1} << 20;
    journal_ = open_journal(options_, clock_);
    auto tables = Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(tables);
    tables_ = *std::move(tables);
  }
  void set_cursor(std::string_view name, Sequence next) {
    ASSERT_TRUE(tables_->write([&](Batch& batch) {
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      put_row(batch, Table::cursors, name, cursor);
    }));
  }
  Retention retention() { return Retention(*tables_, *journal_, clock_, config_); }
  std::uint64_t fill() {
    std::uint64_t number = journal_->use().next;
    while (!journal_->full()) append(*journal_, record_of(number++, 10'000));
    return number - 1;
  }

  const TempDir folder_;
  FakeClock clock_;
  JournalOptions options_ = small_options(folder_ / "journal");
  StorageConfig config_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Tables> tables_;
};

TEST_F(RetentionTest, KeepsEverythingWhileThereIsRoomAndNothingIsOld) {
  append_each(*journal_, 1, 30, 10'000);
  set_cursor("digest", 31);
  ASSERT_TRUE(retention().run_once());
  EXPECT_EQ(journal_->use().first, 1U);
  EXPECT_EQ(read_journal_floor(*tables_), 0U);
}

TEST_F(RetentionTest, MakesRoomOutOfWhatEveryConsumerHasRead) {
  const auto last = fill();
  set_cursor("digest", last + 1);
  set_cursor("upstream/a", journal_->segments()[2].first);
  ASSERT_TRUE(retention().run_once());
  EXPECT_FALSE(journal_->full());
  EXPECT_GT(journal_->use().first, 1U);
  EXPECT_LE(journal_->use().first, journal_->segments().back().first);
  EXPECT_EQ(read_journal_floor(*tables_), journal_->use().first);
}

TEST_F(RetentionTest, RefusesRatherThanForgetWhatAConsumerHasNotRead) {
  const auto last = fill();
  set_cursor("digest", last + 1);
  set_cursor("upstream/slow", 1);
  ASSERT_TRUE(retention().run_once());
  EXPECT_TRUE(journal_->full());
  EXPECT_EQ(journal_->use().first, 1U);
}

TEST_F(RetentionTest, ADigestThatHasNotStartedHasReadNothing) {
  fill();
  set_cursor("upstream/fast", 1'000'000);
  ASSERT_TRUE(retention().run_once());
  EXPECT_EQ(journal_->use().first, 1U);
}

TEST_F(RetentionTest, DropOldestForgetsTheUnreadButOnlyAsMuchAsNeeded) {
  config_.when_full = "drop_oldest";
  fill();
  const auto segments = journal_->segments().size();
  ASSERT_TRUE(retention().run_once());
  EXPECT_FALSE(journal_->full());
  EXPECT_EQ(journal_->segments().size(), segments - 1);
}

TEST_F(RetentionTest, WhatIsTooOldGoesThoughUnread) {
  config_.retention = 24h;
  append_each(*journal_, 1, 40, 10'000);
  const auto segments = journal_->segments();
  ASSERT_GE(segments.size(), 3U);
  clock_.set(segments[0].newest + 24h + 1ms);
  ASSERT_TRUE(retention().run_once());
  EXPECT_EQ(journal_->use().first, segments[1].first);
  clock_.advance(24h);
  ASSERT_TRUE(retention().run_once());
  EXPECT_EQ(journal_->segments().size(), 1U);
  EXPECT_EQ(read_journal_floor(*tables_), journal_->use().first);
}

TEST_F(RetentionTest, AFloorThatWasDecidedBeforeACrashIsCarriedOut) {
  append_each(*journal_, 1, 40, 10'000);
  const auto floor = journal_->segments()[2].first;
  ASSERT_TRUE(tables_->write(
      [&](Batch& batch) { batch.put(Table::meta, "journal_floor", Key().u64(floor)); }));
  ASSERT_TRUE(retention().run_once());
  EXPECT_EQ(journal_->use().first, floor);
}

TEST_F(RetentionTest, TheThreadKeepsARingGoingThatIsSmallerThanWhatPasses) {
  set_cursor("digest", 1'000'000);
  auto running = retention();
  running.start();
  std::uint64_t stored = 0;
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (stored < 300 && std::chrono::steady_clock::now() < until) {
    if (append(*journal_, record_of(stored + 1, 10'000)) != 0) ++stored;
  }
  EXPECT_EQ(stored, 300U);
  EXPECT_LE(journal_->use().file_bytes, options_.max_bytes);
}

TEST_F(RetentionTest, KnowsTheCursorsOfAllConsumers) {
  EXPECT_EQ(smallest_cursor(*tables_), 1U);
  EXPECT_EQ(greatest_cursor(*tables_), 1U);
  set_cursor("digest", 50);
  set_cursor("upstream/a", 7);
  set_cursor("upstream/b", 90);
  EXPECT_EQ(smallest_cursor(*tables_), 7U);
  EXPECT_EQ(greatest_cursor(*tables_), 90U);
}

TEST(WhenFull, AWrongWordNamesTheRightOnes) {
  EXPECT_EQ(*parse_when_full("refuse"), WhenFull::refuse);
  EXPECT_EQ(*parse_when_full("drop_oldest"), WhenFull::drop_oldest);
  const auto wrong = parse_when_full("explode");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().detail.find("drop_oldest"), std::string::npos);
}

}  // namespace
}  // namespace picket::buffer

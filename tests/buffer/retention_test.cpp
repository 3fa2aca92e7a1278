#include "buffer/retention.h"

#include "buffer/journal_support.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
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

// Everybody has read past it, so nobody but retention can find out.
TEST_F(RetentionTest, TheOldestSegmentIsSetAsideWhenItIsDamagedAndTheRingGoesOn) {
  const auto last = fill();
  set_cursor("digest", last + 1);
  const auto segments = journal_->segments();
  journal_.reset();
  std::fstream(segments[0].path, std::ios::in | std::ios::out | std::ios::binary).seekp(8192) << std::string(segments[0].file_bytes - 8192, '\xff');
  journal_ = open_journal(options_, clock_);
  ASSERT_TRUE(journal_->full());
  ASSERT_TRUE(retention().run_once());
  EXPECT_FALSE(journal_->full());
  ASSERT_EQ(journal_->set_aside().size(), 1U);
  EXPECT_EQ(journal_->set_aside()[0], segments[0].path.filename().string() + ".damaged");
  EXPECT_GE(journal_->use().first, segments[1].first);
}

TEST_F(RetentionTest, TheOldestSegmentGoesWhenItCannotBeReadAndEverybodyHas) {
  const auto last = fill();
  set_cursor("digest", last + 1);
  const auto segments = journal_->segments();
  journal_.reset();
  journal_ = open_journal(options_, clock_);
  std::filesystem::remove(segments[0].path);
  std::filesystem::create_directory(segments[0].path);  // cannot be opened as a file, whoever tries
  ASSERT_TRUE(journal_->full());
  ASSERT_TRUE(retention().run_once());
  EXPECT_GE(journal_->use().first, segments[1].first);
  EXPECT_FALSE(std::filesystem::exists(segments[0].path));
  EXPECT_EQ(journal_->set_aside().size(), 0U);
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

// The ladder of "full", on a journal of 2 MiB in segments of 256 KiB, and a disk that the test fills.
class LadderTest : public RetentionTest {
 protected:
  static constexpr std::uint64_t reserve = std::uint64_t{1} << 20;

  LadderTest() {
    journal_.reset();
    options_.max_bytes = std::uint64_t{2} << 20;
    options_.low_room_bytes = std::uint64_t{400} << 10;
    options_.disk_reserve_bytes = reserve;
    options_.disk_free = [this] { return disk_free_ + (files_before_ > 0 ? files_before_ - files_bytes() : 0); };
    journal_ = open_journal(options_, clock_);
  }
  RoomStep step() {
    auto once = retention();
    EXPECT_TRUE(once.run_once());
    return journal_->room_step();
  }
  std::uint32_t told_step() {
    const auto room = read_journal_room(tables_->snapshot());
    return room ? room->step() : 0;
  }

  std::uint64_t files_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) bytes += entry.file_size();
    return bytes;
  }

  std::atomic<std::uint64_t> disk_free_{std::uint64_t{1} << 40};
  std::atomic<std::uint64_t> files_before_{0};  // then: what goes of them is free as well
};

TEST_F(LadderTest, RoomIsLowBeforeItIsFullAndEachStepIsUndoneByItself) {
  set_cursor("digest", 1'000'000);
  set_cursor("upstream/slow", 1);
  EXPECT_EQ(step(), RoomStep::ample);
  std::vector<RoomStep> seen;
  std::uint64_t number = 1;
  while (!journal_->full()) {
    append(*journal_, record_of(number++, 10'000));
    const auto now = step();
    if (seen.empty() || seen.back() != now) seen.push_back(now);
    EXPECT_EQ(told_step(), static_cast<std::uint32_t>(now));
  }
  EXPECT_EQ(seen, (std::vector{RoomStep::ample, RoomStep::low, RoomStep::full}));
  EXPECT_EQ(journal_->use().step, RoomStep::full);

  set_cursor("upstream/slow", number);
  EXPECT_EQ(step(), RoomStep::ample);
  EXPECT_EQ(told_step(), 0U);
  EXPECT_EQ(append(*journal_, record_of(number, 10'000)), number);
}

TEST_F(LadderTest, WhatEveryConsumerHasReadCountsAsRoom) {
  set_cursor("digest", 1'000'000);
  const auto last = fill();
  EXPECT_EQ(step(), RoomStep::ample);
  EXPECT_GT(last, 60U);
}

TEST_F(LadderTest, TheDiskCountsAsTheBudgetDoes) {
  disk_free_ = reserve + 4096;
  EXPECT_EQ(step(), RoomStep::low);
  const auto room = read_journal_room(tables_->snapshot());
  ASSERT_TRUE(room);
  EXPECT_EQ(room->disk_free_bytes(), disk_free_);
  EXPECT_EQ(room->since_ms(), to_ms(clock_.now()));
  disk_free_ = reserve - 1;
  EXPECT_EQ(step(), RoomStep::full);
  EXPECT_FALSE(journal_->offer(record_of(1), {}));
  disk_free_ = std::uint64_t{1} << 40;
  EXPECT_EQ(step(), RoomStep::ample);
  EXPECT_EQ(append(*journal_, record_of(1)), 1U);
}

TEST_F(LadderTest, LowIsLeftOnlyWhenThereIsClearlyRoomAgain) {
  // The newest segment and one more are a little more than low.
  const auto room_for = [&](std::uint64_t segments) { disk_free_ = reserve + segments * options_.segment_bytes; };
  room_for(1);
  EXPECT_EQ(step(), RoomStep::ample);
  EXPECT_GE(journal_->use().room_bytes, options_.low_room_bytes);
  room_for(0);
  EXPECT_EQ(step(), RoomStep::low);
  room_for(1);
  EXPECT_EQ(step(), RoomStep::low);
  room_for(2);
  EXPECT_EQ(step(), RoomStep::ample);
}

TEST_F(LadderTest, ADiskThatOthersFillGetsBackWhatEveryConsumerHasRead) {
  set_cursor("digest", 1'000'000);
  set_cursor("upstream/a", 1'000'000);
  append_each(*journal_, 1, 50, 10'000);
  const auto last = journal_->use().next - 1;
  files_before_ = files_bytes();
  disk_free_ = reserve - (std::uint64_t{400} << 10);
  EXPECT_TRUE(journal_->full());
  EXPECT_NE(step(), RoomStep::full);
  EXPECT_EQ(read_journal_floor(*tables_), journal_->use().first);
  EXPECT_GE(files_before_ - files_bytes(), std::uint64_t{400} << 10);
  EXPECT_EQ(journal_->read_one(last)->records.size(), 1U) << "no more than is needed";
}

TEST_F(LadderTest, ADiskThatOthersFillCostsNothingUnread) {
  set_cursor("digest", 1);
  append_each(*journal_, 1, 50, 10'000);
  disk_free_ = 0;
  EXPECT_EQ(step(), RoomStep::full);
  EXPECT_EQ(journal_->use().first, 1U);
  EXPECT_EQ(journal_->read_one(1)->records.size(), 1U);
}

// Where the oldest may be dropped, what is worth least goes first: here the even numbers.
class DropTest : public LadderTest {
 protected:
  DropTest() {
    journal_.reset();
    options_.low_room_bytes = std::uint64_t{512} << 10;
    journal_ = open_journal(options_, clock_);
    config_.when_full = "drop_oldest";
    set_cursor("digest", 1'000'000);
    set_cursor("upstream/slow", 1);
    retention_ = std::make_unique<Retention>(*tables_, *journal_, clock_, config_, even);
  }
  static bool even(const StoredRecord& record) { return record.project % 2 == 0; }
  void run(int times) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(retention_->run_once());
  }

  std::unique_ptr<Retention> retention_;
};

TEST_F(DropTest, BodiesWorthLeastGoBeforeAnySegmentDoes) {
  std::uint64_t number = 1;
  while (journal_->room_step() == RoomStep::ample) {
    ASSERT_NE(append(*journal_, record_of(number++, 10'000)), 0U);
    journal_->judge_room(1);
  }
  const auto before = journal_->use().file_bytes;
  run(20);
  EXPECT_EQ(journal_->room_step(), RoomStep::ample);
  EXPECT_LT(journal_->use().file_bytes, before - (std::uint64_t{100} << 10));
  EXPECT_EQ(journal_->use().first, 1U);
  std::vector<Sequence> dropped;
  const auto batch = journal_->read(1, std::size_t{64} << 20, 10'000);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->records.size(), number - 1);
  for (const auto& record : batch->records) {
    EXPECT_EQ(record.meta, "meta of " + std::to_string(record.sequence));
    EXPECT_EQ(record.received, record_of(record.sequence).received);
    if (record.dropped()) {
      EXPECT_EQ(record.sequence % 2, 0U);
      EXPECT_TRUE(record.body.empty());
      dropped.push_back(record.sequence);
    } else {
      EXPECT_EQ(record.body, testing::body_of(record.sequence, 10'000));
    }
  }
  ASSERT_FALSE(dropped.empty());
  EXPECT_EQ(dropped.front(), 2U) << "the oldest first";
  EXPECT_LT(dropped.back(), number - 20) << "no more than is needed";

  // What they take now is what counts as room once everybody has read them.
  journal_->judge_room(number);
  EXPECT_LE(journal_->use().room_bytes, options_.max_bytes);
  journal_->judge_room(1);

  // The same after a restart, and whole segments go as before.
  journal_.reset();
  journal_ = open_journal(options_, clock_);
  EXPECT_TRUE(journal_->read_one(2)->records.front().dropped());
  EXPECT_EQ(journal_->read_one(1)->records.front().body, testing::body_of(1, 10'000));
  ASSERT_TRUE(journal_->recycle_before(journal_->segments()[1].first));
  EXPECT_GT(journal_->use().first, 1U);
}

TEST_F(DropTest, ARecordInManyPartsAndADamagedBlockStayAsTheyAre) {
  ASSERT_EQ(append(*journal_, record_of(2, 100'000)), 1U);
  std::uint64_t number = 4;
  while (journal_->room_step() == RoomStep::ample) {
    ASSERT_NE(append(*journal_, record_of(number, 10'000)), 0U);
    number += 2;
    journal_->judge_room(1);
  }
  run(3);
  EXPECT_EQ(journal_->read_one(1)->records.front().body, testing::body_of(2, 100'000));
  EXPECT_TRUE(journal_->read_one(2)->records.front().dropped());
}

TEST_F(DropTest, NothingIsDroppedWhereNewRecordsAreToBeRefused) {
  config_.when_full = "refuse";
  Retention refusing(*tables_, *journal_, clock_, config_, even);
  std::uint64_t number = 1;
  while (!journal_->full()) {
    append(*journal_, record_of(number++, 10'000));
    ASSERT_TRUE(refusing.run_once());
  }
  EXPECT_FALSE(journal_->read_one(2)->records.front().dropped());
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

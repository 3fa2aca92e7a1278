#include "buffer/recompress_support.h"

#include <atomic>
#include <thread>

namespace picket::buffer {
namespace {

using testing::append;
using testing::hidden;
using testing::open_hidden;
using testing::open_journal;
using testing::read_all;
using testing::record_of;
using testing::Recompress;
using testing::seen;
using testing::small_options;
using testing::TempDir;
using testing::What;

TEST_F(Recompress, GivesEveryReaderTheSameAndTakesLess) {
  const auto used = journal_->segments();
  const auto done = recompress_all();
  EXPECT_EQ(done, used.size() - 1);
  expect_all_as_before();
  const auto now = journal_->segments();
  ASSERT_EQ(now.size(), used.size());
  for (std::size_t i = 0; i + 1 < now.size(); ++i) {
    EXPECT_EQ(now[i].path, used[i].path);
    EXPECT_EQ(now[i].first, used[i].first);
    EXPECT_EQ(now[i].last, used[i].last);
    EXPECT_EQ(now[i].oldest, used[i].oldest);
    EXPECT_EQ(now[i].newest, used[i].newest);
    EXPECT_EQ(now[i].bytes_before, used[i].used_bytes);
    EXPECT_LT(now[i].file_bytes, used[i].used_bytes) << i;
  }
  EXPECT_EQ(now.back().bytes_before, 0U);
  EXPECT_EQ(journal_->use().recompressed_segments, done);
  constexpr std::uint64_t lock_files = 64 << 10;
  EXPECT_NEAR(static_cast<double>(journal_->use().file_bytes), static_cast<double>(bytes_in_folder()), lock_files);
  reopen();
  expect_all_as_before();
  EXPECT_NEAR(static_cast<double>(journal_->use().file_bytes), static_cast<double>(bytes_in_folder()), lock_files);
}

// One record a commit, so that the segments are the same each time.
TEST_F(Recompress, EachSegmentTakesAQuarterLessAtLeast) {
  journal_ = open_journal(small_options(folder_ / "one by one"), clock_);
  for (std::uint64_t number = 1; number <= count; ++number) ASSERT_NE(append(*journal_, mixed(number)), 0U);
  const auto used = journal_->segments();
  ASSERT_GE(used.size(), 4U);
  EXPECT_EQ(recompress_all(), used.size() - 1);
  const auto now = journal_->segments();
  ASSERT_EQ(now.size(), used.size());
  for (std::size_t i = 0; i + 1 < now.size(); ++i) EXPECT_LT(now[i].file_bytes, used[i].used_bytes * 3 / 4) << i;
}

TEST_F(Recompress, LeavesNoCodingOnWhatItOpens) {
  recompress_all();
  for (Sequence sequence = 1; sequence < journal_->segments().back().first; ++sequence) {
    const auto one = journal_->read_one(sequence);
    ASSERT_TRUE(one);
    const auto& record = one->records.at(0);
    if (record.kind == RecordKind::envelope && !record.dropped()) {
      EXPECT_NE(record.coding, hidden) << sequence;
    }
    if (record.project % 13 == 0) {
      EXPECT_EQ(record.coding, 2) << sequence;
    }
  }
}

TEST_F(Recompress, GoesOnTakingRecordsAndDoesNothingTwice) {
  recompress_all();
  const auto again = recompress(0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, What::already);
  ASSERT_EQ(append(*journal_, mixed(count + 1)), count + 1);
  EXPECT_EQ(all().size(), count + 1);
}

TEST_F(Recompress, NeverTouchesTheSegmentThatIsWritten) {
  const auto newest = journal_->segments().back();
  const auto done = recompress(newest.first);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::nothing);
}

TEST_F(Recompress, GivesUpAtOnceAndLeavesNothingBehind) {
  reopen();
  const auto before = journal_->use().file_bytes;
  for (int steps = 0; steps < 12; ++steps) {
    int left = steps;
    const auto done = recompress(0, [&left] { return left-- > 0; });
    ASSERT_TRUE(done);
    ASSERT_EQ(done->what, What::no_room);
    EXPECT_EQ(files_like(".tmp"), 0U);
    EXPECT_EQ(journal_->use().file_bytes, before);
  }
  expect_all_as_before();
}

TEST_F(Recompress, ReplacesNothingWhenToldNotTo) {
  const auto done = journal_->recompress(0, {.open_body = open_hidden,
                                             .may = [](const SegmentUse&) { return What::done; },
                                             .go_on = [] { return true; },
                                             .before_replacing = [] { return Error{Fault::unavailable, "the tables are full"}; }});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::no_room);
  EXPECT_EQ(done->reason, "the tables are full");
  EXPECT_EQ(files_like(".tmp"), 0U);
  EXPECT_EQ(journal_->segments()[0].bytes_before, 0U);
}

TEST_F(Recompress, RemovesWhatAnEarlierLifeLeftHalfWritten) {
  journal_.reset();
  std::ofstream(options_.folder / "new-77.tmp") << "half";
  std::ofstream(options_.folder / "new-77.tmp-lock") << "half";
  journal_ = open_journal(options_, clock_);
  EXPECT_EQ(files_like(".tmp"), 0U);
  expect_all_as_before();
}

TEST_F(Recompress, ReadersInTheMiddleOfASegmentNoticeNothing) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> wrong = 0;
  std::atomic<std::uint64_t> read = 0;
  std::vector<std::thread> readers;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!stop) {
        const Sequence from = 1 + random() % count;
        const auto batch = journal_->read(from, 30'000, 20);
        const bool well = batch && !batch->records.empty() && batch->damaged.empty() && batch->records.front().sequence == from;
        if (!well) ++wrong;
        for (std::size_t i = 0; well && i < batch->records.size(); ++i) {
          if (!(seen(batch->records[i]) == before_.at(batch->records[i].sequence))) ++wrong;
        }
        ++read;
        // Readers that never leave keep the exchange waiting for ever: the lock that they share prefers them.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  while (read < 20) std::this_thread::yield();
  recompress_all();
  const auto so_far = read.load();
  while (read < so_far + 20) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0U);
}

TEST_F(Recompress, AnotherProcessReadsOnInTheFileThatItHasOpen) {
  auto watching = options_;
  watching.read_only = true;
  const auto other = open_journal(watching, clock_);
  const auto half = other->read(1, 1, 20);
  ASSERT_TRUE(half);
  recompress_all();
  for (Sequence sequence = 1; sequence <= count; ++sequence) {
    const auto one = other->read_one(sequence);
    ASSERT_TRUE(one) << sequence << one.error().detail;
    EXPECT_TRUE(seen(one->records.at(0)) == before_.at(sequence)) << sequence;
  }
}

TEST_F(Recompress, BodiesCanBeDroppedFromItStill) {
  recompress_all();
  const auto use = journal_->segments()[0];
  const auto next = journal_->drop_bodies(0, [](const StoredRecord& record) { return record.sequence % 2 == 0; });
  ASSERT_TRUE(next) << next.error().detail;
  ASSERT_TRUE(*next);
  const auto now = journal_->segments()[0];
  EXPECT_LT(now.file_bytes, now.bytes_before * 3 / 4);
  EXPECT_EQ(now.bytes_before, use.bytes_before);
  for (const auto& [sequence, record] : all()) {
    const bool whole = sequence % 2 != 0 || sequence > use.last || (record.flags & record_dropped) == 0;
    EXPECT_TRUE(whole ? record == before_.at(sequence) : record.plain.empty() || before_.at(sequence).flags == record_dropped) << sequence;
  }
  reopen();
  EXPECT_EQ(all().size(), count);
  EXPECT_EQ(all().at(2).plain, "");
  EXPECT_EQ(all().at(2).flags, record_dropped);
}

TEST_F(Recompress, WaitsForRoomBesideTheSegment) {
  auto tight = options_;
  tight.max_bytes = std::uint64_t{32} << 10;
  for (const auto& segment : journal_->segments()) tight.max_bytes += segment.file_bytes;
  journal_.reset();
  journal_ = open_journal(tight, clock_);
  const auto done = recompress(0);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::no_room);
  EXPECT_TRUE(journal_->use().rewrite_waits);
  EXPECT_LE(journal_->use().file_bytes, tight.max_bytes);
  expect_all_as_before();
}

TEST_F(Recompress, LeavesWhatWouldHardlyShrink) {
  const TempDir other;
  auto options = small_options(other / "journal");
  const auto journal = open_journal(options, clock_);
  std::mt19937_64 random(1);
  fill(*journal, [&random](std::uint64_t number) {
    auto record = record_of(number);
    std::string noise(8'040, '\0');  // fills its pages
    for (auto& c : noise) c = static_cast<char>(random());
    record.body = noise;
    return record;
  });
  const auto before = read_all(*journal);
  const auto done = journal->recompress(0, {.open_body = open_hidden, .may = [](const SegmentUse&) { return What::done; }, .go_on = [] { return true; }, .before_replacing = {}});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->what, What::left_alone) << done->reason << done->bytes_before << " " << done->bytes_after;
  EXPECT_TRUE(read_all(*journal) == before);
}

}  // namespace
}  // namespace picket::buffer

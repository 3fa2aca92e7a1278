#include "buffer/recompression.h"

#include "buffer/backup.h"
#include "buffer/journal_support.h"
#include "buffer/retention.h"
#include "buffer/rows.h"
#include "buffer/schema_number.h"
#include "buffer/spare_time.h"

#include <gtest/gtest.h>

namespace picket::buffer {
namespace {

using namespace std::chrono_literals;
using testing::append;
using testing::append_each;
using testing::FakeClock;
using testing::open_journal;
using testing::read_all;
using testing::record_of;
using testing::small_options;
using testing::TempDir;

class RecompressionTest : public ::testing::Test {
 protected:
  RecompressionTest() {
    std::filesystem::create_directories(folder_ / "data");
    auto tables = Tables::open({.path = folder_ / "data" / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(tables);
    tables_ = *std::move(tables);
    config_.recompress = true;
    clock_.set(time_from_ms(1'700'000'000'000) + 1s);
    EXPECT_TRUE(check_schema(*tables_, clock_.now()));
    journal_ = open_journal(options_, clock_);
    append_each(*journal_, 1, 120, 8'000);
    EXPECT_GE(journal_->segments().size(), 4U);
    set_cursor("digest", 121);
  }
  void set_cursor(std::string_view name, Sequence next) {
    ASSERT_TRUE(tables_->write([&](Batch& batch) {
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      put_row(batch, Table::cursors, name, cursor);
    }));
  }
  Recompression recompression() {
    return {*tables_, *journal_, clock_, config_, [](const StoredRecord&) { return std::optional<PlainBody>(); }};
  }
  static void run_until_idle(Recompression& recompression) {
    for (int i = 0; i < 100; ++i) {
      const auto ran = recompression.run_once();
      ASSERT_TRUE(ran) << ran.error().detail;
      if (!*ran) return;
    }
    FAIL() << "it never ends";
  }
  std::size_t recompressed() const {
    std::size_t segments = 0;
    for (const auto& segment : journal_->segments()) segments += segment.bytes_before > 0 ? 1U : 0U;
    return segments;
  }

  const TempDir folder_;
  FakeClock clock_;
  JournalOptions options_ = small_options(folder_ / "data" / "journal");
  StorageConfig config_;
  std::unique_ptr<Tables> tables_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(RecompressionTest, WaitsUntilTheYoungestRecordIsOldEnough) {
  ASSERT_TRUE(raise_minimum_reader(*tables_, bundle_reader));
  auto work = recompression();
  clock_.set(time_from_ms(1'700'000'000'000) + config_.recompress_after);
  run_until_idle(work);
  EXPECT_EQ(recompressed(), 0U);
  clock_.set(time_from_ms(1'700'000'000'000) + config_.recompress_after + 1min);
  run_until_idle(work);
  EXPECT_EQ(recompressed(), journal_->segments().size() - 1);
  EXPECT_EQ(read_all(*journal_).size(), 120U);
}

TEST_F(RecompressionTest, TheFirstTimeAlsoUntilItHasRunAsLong) {
  clock_.set(clock_.now() + 24h);
  auto work = recompression();
  run_until_idle(work);
  EXPECT_EQ(recompressed(), 0U);
  EXPECT_EQ(read_minimum_reader(*tables_), minimum_reader);
  clock_.set(clock_.now() + config_.recompress_after);
  run_until_idle(work);
  EXPECT_GT(recompressed(), 0U);
  // From then on at once.
  append_each(*journal_, 121, 160, 8'000);
  set_cursor("digest", 161);
  clock_.set(clock_.now() + 24h);
  auto next_life = recompression();
  run_until_idle(next_life);
  EXPECT_EQ(recompressed(), journal_->segments().size() - 1);
}

TEST_F(RecompressionTest, OlderVersionsRefuseTheDataBeforeTheyCouldMisreadIt) {
  config_.recompress_after = 0s;
  EXPECT_EQ(read_minimum_reader(*tables_), minimum_reader);
  auto work = recompression();
  run_until_idle(work);
  ASSERT_GT(recompressed(), 0U);
  EXPECT_EQ(read_minimum_reader(*tables_), bundle_reader);
  // It stays so, whoever opens it next.
  ASSERT_TRUE(check_schema(*tables_, clock_.now()));
  EXPECT_EQ(read_minimum_reader(*tables_), bundle_reader);
}

TEST_F(RecompressionTest, LeavesWhereAConsumerReadsAndComesBack) {
  config_.recompress_after = 0s;
  const auto segments = journal_->segments();
  set_cursor("upstream/slow", segments[1].first + 1);
  auto work = recompression();
  run_until_idle(work);
  EXPECT_EQ(journal_->segments()[1].bytes_before, 0U);
  EXPECT_EQ(recompressed(), segments.size() - 2);
  set_cursor("upstream/slow", segments[2].first);
  // That consumer reads in the next one now, which is done already.
  run_until_idle(work);
  EXPECT_EQ(recompressed(), segments.size() - 1);
  const auto row = read_recompression(tables_->snapshot());
  EXPECT_EQ(row.segments(), segments.size() - 1);
  EXPECT_EQ(row.up_to(), segments.back().first);
  EXPECT_GT(row.bytes_before(), row.bytes_after());
  EXPECT_EQ(row.records(), segments.back().first - 1);
}

TEST_F(RecompressionTest, GoesOnWhereTheLastLifeEnded) {
  config_.recompress_after = 0s;
  {
    auto work = recompression();
    ASSERT_TRUE(work.run_once());
  }
  EXPECT_EQ(recompressed(), 1U);
  auto work = recompression();
  run_until_idle(work);
  EXPECT_EQ(recompressed(), journal_->segments().size() - 1);
  EXPECT_EQ(read_recompression(tables_->snapshot()).segments(), journal_->segments().size() - 1);
}

TEST_F(RecompressionTest, StopsWhenToldTo) {
  config_.recompress_after = 0s;
  std::stop_source stop;
  stop.request_stop();
  auto work = recompression();
  const auto ran = work.run_once(stop.get_token());
  ASSERT_TRUE(ran);
  EXPECT_FALSE(*ran);
  EXPECT_EQ(recompressed(), 0U);
}

TEST_F(RecompressionTest, RunsInTheBackgroundAndEndsWithItsObject) {
  config_.recompress_after = 0s;
  {
    auto work = recompression();
    work.start();
    while (read_recompression(tables_->snapshot()).segments() == 0) std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(read_all(*journal_).size(), 120U);
}

TEST_F(RecompressionTest, SwitchedOffItDoesNothing) {
  config_.recompress = false;
  config_.recompress_after = 0s;
  auto work = recompression();
  work.start();
  EXPECT_EQ(recompressed(), 0U);
}

TEST_F(RecompressionTest, RetentionForgetsRecompressedSegmentsAsOthers) {
  config_.recompress_after = 0s;
  auto work = recompression();
  run_until_idle(work);
  const auto second = journal_->segments()[1].first;
  clock_.set(journal_->segments()[0].newest + config_.retention + 1ms);
  Retention retention(*tables_, *journal_, clock_, config_);
  ASSERT_TRUE(retention.run_once());
  EXPECT_EQ(journal_->use().first, second);
  EXPECT_EQ(read_journal_floor(*tables_), second);
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) {
    if (entry.path().extension() == ".mdb") bytes += entry.file_size();
  }
  constexpr std::uint64_t lock_files = 64 << 10;  // that come and go
  EXPECT_NEAR(static_cast<double>(journal_->use().file_bytes), static_cast<double>(bytes), lock_files);
}

TEST_F(RecompressionTest, MakesRoomForItselfOutOfWhatEverybodyHasRead) {
  journal_.reset();
  // Full but for a spare segment and next to nothing.
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) bytes += entry.file_size();
  options_.max_bytes = std::max(bytes + 4096, options_.segment_bytes * 4);
  journal_ = open_journal(options_, clock_);
  config_.recompress_after = 0s;
  auto work = recompression();
  const auto ran = work.run_once();
  if (ran) GTEST_SKIP() << "there was room";
  ASSERT_TRUE(journal_->use().rewrite_waits);
  const auto second = journal_->segments()[1].first;
  set_cursor("upstream/slow", 1);
  Retention retention(*tables_, *journal_, clock_, config_);
  const bool spare = journal_->use().spare;
  ASSERT_TRUE(retention.run_once());
  EXPECT_EQ(journal_->use().first, 1U) << "somebody still needs it";
  set_cursor("upstream/slow", 121);
  ASSERT_TRUE(retention.run_once());
  EXPECT_GE(journal_->use().first, second);
  EXPECT_FALSE(journal_->use().rewrite_waits);
  EXPECT_TRUE(spare || journal_->use().spare);
  run_until_idle(work);
  EXPECT_GT(recompressed(), 0U);
}

TEST_F(RecompressionTest, ABackupHoldsThemAndIsRestored) {
  config_.recompress_after = 0s;
  auto work = recompression();
  run_until_idle(work);
  const auto before = read_all(*journal_);
  const auto quiet = [](const std::string&) {};
  const auto made = back_up(folder_ / "data", folder_ / "copy", quiet);
  ASSERT_TRUE(made) << made.error().detail;
  const auto counts = restore(folder_ / "copy", folder_ / "back", clock_, quiet);
  ASSERT_TRUE(counts) << counts.error().detail;
  EXPECT_EQ(counts->journal.records, 120U);
  EXPECT_EQ(counts->journal.damaged, 0U);
  auto options = options_;
  options.folder = folder_ / "back" / "journal";
  EXPECT_TRUE(read_all(*open_journal(options, clock_)) == before);
}

TEST(SpareTimeTest, GoesOnAtOnceWhileNothingElseHappens) {
  EXPECT_EQ(pause_after({.took = 40ms, .processor = 39ms}), 0us);
  EXPECT_EQ(pause_after({.took = 10ms, .processor = 1ms}), 0us) << "that was the disk";
}

TEST(SpareTimeTest, TakesATenthOfAProcessorWhileOthersAreAtWork) {
  EXPECT_EQ(pause_after({.took = 40ms, .processor = 30ms, .records_came = true}), 270ms);
  EXPECT_EQ(pause_after({.took = 40ms, .processor = 30ms, .digest_waits = true}), 270ms);
  EXPECT_EQ(pause_after({.took = 200ms, .processor = 30ms}), 270ms) << "others wanted the processors";
}

TEST(SpareTimeTest, LeavesTheDiskToCommitsMostOfTheTimeWithoutWaitingForEver) {
  EXPECT_EQ(pause_after({.took = 10ms, .processor = 1ms, .records_came = true}), 30ms);
  EXPECT_EQ(pause_after({.took = 10s, .processor = 1ms, .records_came = true}), 100ms);
}

}  // namespace
}  // namespace picket::buffer

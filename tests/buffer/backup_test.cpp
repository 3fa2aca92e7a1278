#include "buffer/backup.h"

#include "buffer/journal_support.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "buffer/tables.h"

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace picket::buffer {
namespace {

using testing::append;
using testing::append_each;
using testing::body_of;
using testing::FakeClock;
using testing::open_journal;
using testing::read_all;
using testing::record_of;
using testing::small_options;
using testing::TempDir;

void quiet(const std::string&) {}

class BackupTest : public ::testing::Test {
 protected:
  std::filesystem::path data() const { return folder_ / "data"; }
  std::filesystem::path copy() const { return folder_ / "copy"; }
  std::filesystem::path back() const { return folder_ / "back"; }

  std::unique_ptr<Tables> open_tables(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    auto tables = Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(tables) << tables.error().detail;
    return *std::move(tables);
  }
  static void set_cursor(Tables& tables, Sequence next) {
    ASSERT_TRUE(tables.write([&](Batch& batch) {
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      put_row(batch, Table::cursors, "digest", cursor);
    }));
  }
  void fill(std::uint64_t last) const {
    set_cursor(*open_tables(data()), 1);
    append_each(*open_journal(small_options(data() / "journal"), clock_), 1, last, 10'000);
  }
  Result<RestoreCounts> put_back() const { return restore(copy(), back(), clock_, quiet); }
  bool nothing_in(const std::filesystem::path& folder) const {
    return !std::filesystem::exists(folder) || std::filesystem::is_empty(folder);
  }

  const TempDir folder_;
  const FakeClock clock_;
};

TEST_F(BackupTest, ARestoredCopyHoldsEverythingAndGoesOn) {
  fill(60);
  const auto made = back_up(data(), copy(), quiet);
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_GE(made->segments, 3U);
  const auto counts = put_back();
  ASSERT_TRUE(counts) << counts.error().detail;
  EXPECT_EQ(counts->journal.records, 60U);
  EXPECT_EQ(counts->journal.damaged, 0U);
  EXPECT_EQ(counts->tables, table_count);
  EXPECT_EQ(counts->rows, 1U);
  EXPECT_EQ(open_tables(back())->snapshot().entries(Table::cursors), 1U);
  {
    const auto journal = open_journal(small_options(back() / "journal"), clock_);
    EXPECT_EQ(append(*journal, record_of(61, 10'000)), 61U);
  }
  const auto all = read_all(*open_journal(small_options(back() / "journal"), clock_));
  ASSERT_EQ(all.size(), 61U);
  for (const auto& [sequence, body] : all) EXPECT_EQ(body, body_of(sequence, 10'000));
}

TEST_F(BackupTest, ACopyTakesWhatIsUsedAndNotWhatIsPreallocated) {
  fill(3);
  const auto made = back_up(data(), copy(), quiet);
  ASSERT_TRUE(made);
  EXPECT_LT(made->journal_bytes, 100'000U);
}

TEST_F(BackupTest, AnEmptyJournalCanBeCopiedAndPutBack) {
  fill(0);
  ASSERT_TRUE(back_up(data(), copy(), quiet));
  const auto counts = put_back();
  ASSERT_TRUE(counts) << counts.error().detail;
  EXPECT_EQ(counts->journal.records, 0U);
  const auto journal = open_journal(small_options(back() / "journal"), clock_);
  EXPECT_EQ(append(*journal, record_of(1)), 1U);
}

// Of the environment: what the other process is to copy, and where to.
constexpr const char* copied_folder = "PICKET_TEST_COPIED";
constexpr const char* copy_folder = "PICKET_TEST_COPY";

// What the other process of the next test runs.
TEST(BackupChild, DISABLED_Copies) {
  const char* const from = std::getenv(copied_folder);
  const char* const to = std::getenv(copy_folder);
  ASSERT_TRUE(from != nullptr && to != nullptr);
  ASSERT_TRUE(back_up(from, to, quiet));
}

// This program anew, and not a fork, whose allocator another thread may have had locked.
pid_t copy_elsewhere(const std::filesystem::path& from, const std::filesystem::path& to) {
  ::setenv(copied_folder, from.c_str(), 1);
  ::setenv(copy_folder, to.c_str(), 1);
  std::string words[] = {"backup_test", "--gtest_filter=BackupChild.DISABLED_Copies", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t child = -1;
  EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ), 0);
  return child;
}

TEST_F(BackupTest, CopiesMadeByAnotherProcessWhileServingAreConsistent) {
  const auto tables = open_tables(data());
  set_cursor(*tables, 1);
  auto options = small_options(data() / "journal");
  options.max_bytes = std::uint64_t{2} << 20;
  const auto journal = open_journal(options, clock_);
  std::uint64_t number = 0;
  for (int round = 0; round < 6; ++round) {
    const auto target = folder_ / ("copy" + std::to_string(round));
    const auto child = copy_elsewhere(data(), target);
    ASSERT_GT(child, 0);
    int status = 0;
    do {
      if (!journal->use().spare) {
        ASSERT_TRUE(journal->recycle_before(journal->segments()[1].first));
      }
      if (append(*journal, record_of(number + 1, 10'000)) == 0) continue;
      ++number;
      set_cursor(*tables, number + 1);
    } while (::waitpid(child, &status, WNOHANG) == 0);
    ASSERT_EQ(status, 0);
    const auto there = folder_ / ("back" + std::to_string(round));
    const auto counts = restore(target, there, clock_, quiet);
    ASSERT_TRUE(counts) << counts.error().detail;
    EXPECT_EQ(counts->journal.damaged, 0U);
    EXPECT_EQ(counts->journal.records, counts->journal.next - counts->journal.first);
    const auto restored = open_tables(there);
    const auto cursor = find_row<schema::Cursor>(restored->snapshot(), Table::cursors, "digest");
    EXPECT_LE(cursor->next_sequence(), counts->journal.next);
    EXPECT_GE(cursor->next_sequence(), counts->journal.first);
  }
}

TEST_F(BackupTest, AFolderThatIsNotEmptyIsNeverWrittenTo) {
  fill(3);
  std::filesystem::create_directories(copy());
  std::ofstream(copy() / "precious") << "mine";
  EXPECT_EQ(back_up(data(), copy(), quiet).error().fault, Fault::malformed);
  EXPECT_TRUE(std::filesystem::exists(copy() / "precious"));
  ASSERT_TRUE(back_up(data(), folder_ / "other", quiet));
  EXPECT_EQ(restore(folder_ / "other", copy(), clock_, quiet).error().fault, Fault::malformed);
  EXPECT_EQ(restore(folder_ / "other", data(), clock_, quiet).error().fault, Fault::malformed);
  EXPECT_TRUE(std::filesystem::exists(copy() / "precious"));
}

TEST_F(BackupTest, AFolderWithoutDataIsAnError) {
  EXPECT_EQ(back_up(folder_ / "nothing", copy(), quiet).error().fault, Fault::not_found);
  EXPECT_TRUE(nothing_in(copy()));
}

TEST_F(BackupTest, AnUnfinishedOrChangedCopyIsRefusedAndLeavesNothing) {
  fill(30);
  ASSERT_TRUE(back_up(data(), copy(), quiet));
  const auto segment = copy() / "journal" / "00000000000000000001.00000.mdb";
  const std::vector<std::function<void()>> ways = {
      [&] { std::filesystem::remove(copy() / "backup"); },
      [&] { std::filesystem::remove(copy() / "tables.mdb"); },
      [&] { std::filesystem::resize_file(segment, 5000); },
      [&] { std::filesystem::resize_file(copy() / "backup", 60); },
      [&] { std::ofstream(copy() / "backup") << "picket backup 1\nfile ../../etc/passwd 1\ncomplete\n"; },
  };
  for (const auto& spoil : ways) {
    std::filesystem::remove_all(folder_ / "saved");
    std::filesystem::copy(copy(), folder_ / "saved", std::filesystem::copy_options::recursive);
    spoil();
    const auto counts = put_back();
    ASSERT_FALSE(counts);
    EXPECT_EQ(counts.error().fault, Fault::malformed) << counts.error().detail;
    EXPECT_TRUE(nothing_in(back()));
    std::filesystem::remove_all(copy());
    std::filesystem::rename(folder_ / "saved", copy());
  }
}

TEST_F(BackupTest, ADamagedRecordIsCountedAndTheOthersAreThere) {
  fill(30);
  ASSERT_TRUE(back_up(data(), copy(), quiet));
  const auto segment = copy() / "journal" / "00000000000000000001.00000.mdb";
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  file.clear();
  file.seekp(static_cast<std::streamoff>(bytes.find(body_of(5, 10'000)) + 3000));
  file << '!';
  file.close();
  const auto counts = put_back();
  ASSERT_TRUE(counts) << counts.error().detail;
  EXPECT_EQ(counts->journal.records, 29U);
  EXPECT_EQ(counts->journal.first_damaged, std::vector<Sequence>{5});
}

TEST_F(BackupTest, DamagedTablesAreRefused) {
  fill(3);
  ASSERT_TRUE(back_up(data(), copy(), quiet));
  std::fstream file(copy() / "tables.mdb", std::ios::in | std::ios::out | std::ios::binary);
  for (int page = 2; page < 4; ++page) {
    file.seekp(page * 4096);
    file << std::string(64, '\xff');
  }
  file.close();
  const auto counts = put_back();
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().fault, Fault::corrupt);
  EXPECT_TRUE(nothing_in(back()));
}

TEST_F(BackupTest, DataThatNeedsANewerVersionIsRefused) {
  fill(3);
  ASSERT_TRUE(open_tables(data())->write([](Batch& batch) {
    schema::Environment newer;
    newer.set_minimum_reader(99);
    newer.set_version("9.9");
    put_row(batch, Table::meta, "environment", newer);
  }));
  ASSERT_TRUE(back_up(data(), copy(), quiet));
  const auto counts = put_back();
  ASSERT_FALSE(counts);
  EXPECT_NE(counts.error().detail.find("9.9"), std::string::npos);
  EXPECT_TRUE(nothing_in(back()));
}

TEST_F(BackupTest, LongWorkSaysHowFarItIs) {
  fill(60);
  std::vector<std::string> words;
  ASSERT_TRUE(back_up(data(), copy(), [&](const std::string& said) { words.push_back(said); }));
  EXPECT_GE(words.size(), 4U);
}

}  // namespace
}  // namespace picket::buffer

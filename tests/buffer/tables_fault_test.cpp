// The disk fails the last write of a commit, the one that makes it count: LMDB then refuses everything,
// readers included, until its file is opened anew. And it has lost pages of a sealed segment.
#include "buffer/tables.h"

#include "buffer/journal_support.h"

#include "buffer/keys.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

namespace {

// How many of the next writes to a meta page fail: through LMDB's synchronous descriptor, and what it
// then tries to put back through the other one.
std::atomic<int> failing_meta_writes{0};
std::atomic<int> failing_put_backs{0};
// Whoever reads next is held up for a while.
std::atomic<bool> hold_next_read{false};
std::atomic<bool> held_up{false};
// The file whose data cannot be read any more; pages of its trees, which are read one by one, can.
std::atomic<ino_t> rotten_file{0};

bool is_rotten(int file) {
  struct stat status {};
  return rotten_file != 0 && ::fstat(file, &status) == 0 && status.st_ino == rotten_file;
}

using PwriteFunction = ssize_t (*)(int, const void*, size_t, off_t);

bool fails_now(std::atomic<int>& left) {
  return left > 0 && left-- > 0;
}

}  // namespace

// Found by LMDB before the C library's.
extern "C" ssize_t pwrite(int file, const void* from, size_t bytes, off_t offset) {
  static const auto real = reinterpret_cast<PwriteFunction>(::dlsym(RTLD_NEXT, "pwrite"));
  const bool meta_page = offset < 2 * 4096 && bytes < 4096;
  const bool synchronous = (::fcntl(file, F_GETFL) & O_DSYNC) != 0;
  if (!meta_page || !fails_now(synchronous ? failing_meta_writes : failing_put_backs)) {
    return real(file, from, bytes, offset);
  }
  // As with a disk that fails: the new bytes are in the page cache all the same.
  if (synchronous) real(file, from, bytes, offset);
  errno = EIO;
  return -1;
}

extern "C" ssize_t pread(int file, void* to, size_t bytes, off_t offset) {
  using PreadFunction = ssize_t (*)(int, void*, size_t, off_t);
  static const auto real = reinterpret_cast<PreadFunction>(::dlsym(RTLD_NEXT, "pread"));
  if (hold_next_read.exchange(false)) {
    held_up = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (bytes > 4 * 4096 && is_rotten(file)) {
    errno = EIO;
    return -1;
  }
  return real(file, to, bytes, offset);
}

namespace picket::buffer {
namespace {

class TablesFault : public ::testing::Test {
 protected:
  TablesFault() { open(); }
  void open() {
    tables.reset();
    auto opened = Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened) << opened.error().detail;
    tables = *std::move(opened);
  }
  Result<void> put(std::string_view key, std::string_view value) {
    return tables->write([&](Batch& batch) { batch.put(Table::meta, key, value); });
  }
  std::string get(std::string_view key) { return std::string(tables->snapshot().get(Table::meta, key).value_or("none")); }

  const testing::TempDir folder;
  std::unique_ptr<Tables> tables;
};

TEST_F(TablesFault, ReadingAndWritingGoOnAfterAMetaPageCouldNotBeWritten) {
  ASSERT_TRUE(put("k", "old"));
  failing_meta_writes = 1;
  EXPECT_FALSE(put("k", "new"));
  EXPECT_EQ(failing_meta_writes, 0);
  EXPECT_EQ(get("k"), "old");
  ASSERT_TRUE(put("l", "more"));
  EXPECT_EQ(get("k"), "old");
  EXPECT_EQ(get("l"), "more");
  open();
  EXPECT_EQ(get("k"), "old");
  EXPECT_EQ(get("l"), "more");
}

TEST_F(TablesFault, ABatchThatFailedDoesNotComeBack) {
  ASSERT_TRUE(put("k", "old"));
  failing_meta_writes = 1;
  failing_put_backs = 1;
  EXPECT_FALSE(put("k", "new"));
  EXPECT_EQ(failing_put_backs, 0) << "what the failed write left is in the file";
  EXPECT_EQ(get("k"), "old");
  open();
  EXPECT_EQ(get("k"), "old");
}

TEST_F(TablesFault, SnapshotsThatAreStillHeldAreWaitedFor) {
  ASSERT_TRUE(put("k", "old"));
  std::optional<Snapshot> held(tables->snapshot());
  failing_meta_writes = 1;
  EXPECT_FALSE(put("k", "new"));
  EXPECT_FALSE(put("k", "newer")) << "this thread itself holds a snapshot";
  EXPECT_EQ(held->get(Table::meta, "k"), "old");
  std::jthread releasing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    held.reset();
  });
  EXPECT_EQ(get("k"), "old");
  EXPECT_TRUE(put("k", "newest"));
  EXPECT_EQ(get("k"), "newest");
}

TEST_F(TablesFault, NothingIsGivenBackBeforeAFailedCommitIsMended) {
  ASSERT_TRUE(put("k", "old"));
  failing_meta_writes = 1;
  failing_put_backs = 1;
  EXPECT_FALSE(put("k", "new"));
  EXPECT_FALSE(tables->give_back_memory());
  EXPECT_EQ(get("k"), "old");
  EXPECT_TRUE(tables->give_back_memory());
  EXPECT_EQ(get("k"), "old");
  ASSERT_TRUE(put("k", "newest"));
  EXPECT_EQ(get("k"), "newest");
}

// Seed 3084 of tests/fault/journal_faults.py: the reader kept the mutex, which the writer wanted before it let go.
TEST_F(TablesFault, ASnapshotIsToBeHadWhileAnotherThreadsCommitIsFailing) {
  ASSERT_TRUE(put("k", "old"));
  for (int round = 0; round < 10; ++round) {
    failing_meta_writes = 1;
    failing_put_backs = 1;
    hold_next_read = true;
    held_up = false;
    std::jthread writing([&] { EXPECT_FALSE(put("k", "new")); });
    while (!held_up) std::this_thread::yield();
    EXPECT_EQ(get("k"), "old");
  }
  EXPECT_TRUE(put("k", "newest"));
  EXPECT_EQ(get("k"), "newest");
}

TEST_F(TablesFault, ManyFailuresInARowLeaveTheLastGoodState) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(put("k", std::to_string(round)));
    failing_meta_writes = 1 + round % 3;
    failing_put_backs = round % 2;
    for (int i = 0; i <= round % 3; ++i) EXPECT_FALSE(put("k", "lost"));
    failing_put_backs = 0;
    EXPECT_EQ(get("k"), std::to_string(round));
  }
}

// Seed 14 of tests/fault/journal_faults.py: the power was cut while the file was made.
TEST_F(TablesFault, AFileWhoseMakingWasCutShortIsMadeAnew) {
  tables.reset();
  std::filesystem::remove(folder / "tables.mdb");
  std::ofstream(folder / "tables.mdb.new") << std::string(8192, '\0');
  open();
  ASSERT_TRUE(put("k", "v"));
  EXPECT_EQ(get("k"), "v");
  EXPECT_FALSE(std::filesystem::exists(folder / "tables.mdb.new"));
}

TEST_F(TablesFault, AReserveIsPromisedBehindTheLastPage) {
  constexpr std::uint64_t reserve = std::uint64_t{1} << 20;
  tables = *Tables::open({.path = folder / "other.mdb", .map_bytes = std::uint64_t{1} << 30, .reserve_bytes = reserve});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(put("k" + std::to_string(round), std::string(900'000, 'x')));
    struct stat status {};
    ASSERT_EQ(::stat((folder / "other.mdb").c_str(), &status), 0);
    const auto use = tables->use();
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, use.used_pages * use.page_bytes + reserve / 2 - 4096);
  }
}

TEST_F(TablesFault, WithLittleOnTheDiskNothingMayGrow) {
  std::uint64_t free = 1000;
  tables = *Tables::open({.path = folder / "other.mdb",
                          .map_bytes = std::uint64_t{1} << 30,
                          .least_free_bytes = 1000,
                          .disk_free = [&free] { return free; }});
  EXPECT_TRUE(tables->may_grow());
  free = 999;
  EXPECT_FALSE(tables->may_grow());
  EXPECT_TRUE(put("k", "a cursor")) << "what is asked for is done all the same";
}

TEST(SegmentThatTheDiskHasLost, IsNotRecompressedAndEndsNothing) {
  const testing::TempDir folder;
  testing::FakeClock clock;
  const auto journal = testing::open_journal(testing::small_options(folder / "journal"), clock);
  testing::append_each(*journal, 1, 120, 8'000);
  const auto segment = journal->segments().front();
  struct stat status {};
  ASSERT_EQ(::stat(segment.path.c_str(), &status), 0);
  const Recompressing how{.open_body = [](const StoredRecord&) { return std::optional<PlainBody>(); },
                          .may = [](const SegmentUse&) { return Recompressed::What::done; },
                          .go_on = [] { return true; },
                          .before_replacing = {}};
  rotten_file = status.st_ino;
  const auto lost = journal->recompress(1, how);
  rotten_file = 0;
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->what, Recompressed::What::left_alone) << lost->reason;
  EXPECT_GT(lost->next, 1U) << "the next one has its turn";
  const auto again = journal->recompress(1, how);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, Recompressed::What::done) << again->reason;
  EXPECT_EQ(testing::read_all(*journal).size(), 120U);
}

}  // namespace
}  // namespace picket::buffer

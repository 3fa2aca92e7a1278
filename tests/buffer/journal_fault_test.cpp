// The disk says no, and everybody at once: what must not wedge, lose or mix anything up.

#include "buffer/journal.h"
#include "buffer/journal_support.h"
#include "buffer/segment.h"
#include "buffer/segment_folder.h"
#include "buffer/segment_rewrite.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

namespace picket::buffer {
namespace {

using testing::Answers;
using testing::append;
using testing::append_each;
using testing::body_of;
using testing::FakeClock;
using testing::open_journal;
using testing::read_all;
using testing::record_of;
using testing::small_options;
using testing::TempDir;

// Makes every write behind an offset fail (EFBIG), as a disk does that is full or broken.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(JournalFault, FailingCommitsFailTheirRecordsAndLaterOnesSucceed) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  Answers answers;
  {
    const auto journal = open_journal(options, clock);
    append_each(*journal, 1, 8, 10'000);
    {
      const FileSizeLimit limit(64 << 10);
      for (std::uint64_t number = 100; number < 130; ++number) {
        ASSERT_TRUE(journal->offer(record_of(number, 10'000), answers.expect(number)));
        if (number % 3 == 0) answers.wait();
      }
      answers.wait();
    }
    EXPECT_GT(answers.failed().size(), 0U);
    for (const auto& [number, error] : answers.failed()) EXPECT_EQ(error.fault, Fault::unavailable);
    EXPECT_GT(journal->use().failed_commits, 0U);
    for (std::uint64_t number = 200; number < 230; ++number) {
      ASSERT_TRUE(journal->offer(record_of(number, 10'000), answers.expect(number)));
    }
    answers.wait();
  }
  const auto stored = answers.stored();
  const auto all = read_all(*open_journal(options, clock));
  ASSERT_EQ(all.size(), 8 + stored.size());
  EXPECT_EQ(stored.size() + answers.failed().size(), 60U);
  EXPECT_TRUE(stored.contains(229));
  for (const auto& [number, sequence] : stored) EXPECT_EQ(all.at(sequence), body_of(number, 10'000));
}

TEST(JournalFault, ASegmentThatCannotBePutInItsPlaceTakesNoneOfTheBudget) {
  const TempDir folder;
  const auto segments = SegmentFolder::open(
      {.path = folder / "journal", .segment_bytes = std::uint64_t{256} << 10, .max_bytes = std::uint64_t{2} << 20});
  ASSERT_TRUE(segments);
  ASSERT_TRUE((*segments)->take({1, 0}));
  const auto before = (*segments)->file_bytes();
  const auto in_the_way = (*segments)->path_of({10, 0});
  std::filesystem::create_directories(in_the_way / "something");
  for (int i = 0; i < 20; ++i) EXPECT_FALSE((*segments)->take({10, 0}));
  EXPECT_EQ((*segments)->file_bytes(), before);
  std::filesystem::remove_all(in_the_way);
  EXPECT_TRUE((*segments)->take({10, 0}));
}

TEST(JournalFault, ASplitRecordThatFailsHalfWayLeavesNothing) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  {
    const auto journal = open_journal(options, clock);
    append_each(*journal, 1, 2, 1000);
    {
      const FileSizeLimit limit(150 << 10);
      EXPECT_EQ(append(*journal, record_of(3, 500'000)), 0U);
    }
    EXPECT_EQ(journal->use().next, 3U);
    ASSERT_EQ(append(*journal, record_of(3, 400'000)), 3U);
    ASSERT_EQ(append(*journal, record_of(4, 10)), 4U);
  }
  const auto all = read_all(*open_journal(options, clock));
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all.at(3), body_of(3, 400'000));
}

// Record 1, without its body, and the first parts of record 2 in a segment that was written anew.
std::filesystem::path make_torn_without_room(const JournalOptions& options) {
  const auto segments = SegmentFolder::open(
      {.path = options.folder, .segment_bytes = options.segment_bytes, .max_bytes = options.max_bytes});
  EXPECT_TRUE(segments && (*segments)->take({1, 0}));
  Segment segment((*segments)->path_of({1, 0}), {1, 0}, Segment::Mode::writing);
  EXPECT_TRUE(segment.open());
  const std::vector<Record> first{record_of(1)};
  EXPECT_TRUE(segment.append({1, 0}, block_bytes(first), [&](char* out) { pack_block(first, 1, out); }));
  const auto torn = record_of(2, 1'000'000);
  constexpr std::size_t heads = block_head_bytes + block_entry_bytes;
  RecordPart part{.key = {2, 0}, .parts = 200};
  for (part.bytes = 10'000; part.key.part < 5; ++part.key.part, part.offset += part.bytes) {
    EXPECT_TRUE(segment.append(part.key, heads + part.bytes, [&](char* out) { pack_part(torn, part, out); }));
  }
  const auto smaller = (*segments)->make_temporary_name();
  EXPECT_TRUE(rewrite_without(segment, {3, 0}, smaller, [](const StoredRecord&) { return true; }));
  segment.close(true);
  EXPECT_TRUE((*segments)->replace({1, 0}, smaller));
  std::filesystem::remove(std::filesystem::path(segment.path()) += "-lock");
  return segment.path();
}

void expect_to_go_on(std::unique_ptr<Journal> journal, const JournalOptions& options, const FakeClock& clock) {
  EXPECT_EQ(journal->use().next, 2U);
  ASSERT_EQ(append(*journal, record_of(2, 50'000)), 2U);
  ASSERT_EQ(append(*journal, record_of(3)), 3U);
  journal.reset();
  const auto all = read_all(*open_journal(options, clock));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all.at(1), "");
  EXPECT_EQ(all.at(2), body_of(2, 50'000));
}

// Seed 5085 of tests/fault/journal_faults.py: the segment had been written anew, so that its file has no page to
// spare, when the power was cut while a record was written that began in it.
TEST(JournalFault, ATornRecordInASegmentWithoutRoomDoesNotKeepTheJournalFromOpening) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  const auto path = make_torn_without_room(options);
  const auto before = std::filesystem::file_size(path);
  auto journal = Journal::open(options, clock);
  ASSERT_TRUE(journal) << journal.error().detail;
  EXPECT_GT(std::filesystem::file_size(path), before);
  EXPECT_GE((*journal)->use().file_bytes, std::filesystem::file_size(path)) << "what it grew by counts";
  expect_to_go_on(*std::move(journal), options, clock);
}

TEST(JournalFault, NorDoesItWhereTheDiskHasNoPageForRemovingIt) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  const auto path = make_torn_without_room(options);
  Result<std::unique_ptr<Journal>> journal = Error{Fault::unavailable, "not opened"};
  {
    const FileSizeLimit limit(std::filesystem::file_size(path));
    journal = Journal::open(options, clock);
  }
  ASSERT_TRUE(journal) << journal.error().detail;
  expect_to_go_on(*std::move(journal), options, clock);
}

TEST(JournalFault, ASplitRecordThatExceedsTheBudgetFailsAndGivesItsRoomBack) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.max_bytes = std::uint64_t{1} << 20;
  {
    const auto journal = open_journal(options, clock);
    append_each(*journal, 1, 3, 1000);
    EXPECT_EQ(append(*journal, record_of(4, 2'000'000)), 0U);
    for (std::uint64_t number = 4; number < 40; ++number) {
      ASSERT_EQ(append(*journal, record_of(number, 10'000)), number);
    }
  }
  EXPECT_EQ(read_all(*open_journal(options, clock)).size(), 39U);
}

TEST(JournalFault, NoSegmentCanBeMadeAtStartAndItRecoversLater) {
  const TempDir folder;
  const FakeClock clock;
  std::unique_ptr<Journal> journal;
  {
    const FileSizeLimit limit(64 << 10);
    journal = open_journal(small_options(folder / "journal"), clock);
    ASSERT_TRUE(journal);
    EXPECT_EQ(append(*journal, record_of(1)), 0U);
  }
  EXPECT_EQ(append(*journal, record_of(1)), 1U);
}

TEST(JournalFault, OfferingReadingRotatingAndRecyclingAtOnceMixNothingUp) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.max_bytes = std::uint64_t{2} << 20;
  const auto journal = open_journal(options, clock);
  constexpr std::uint64_t offerers = 4;
  constexpr std::uint64_t each = 400;
  Answers answers;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (std::uint64_t offerer = 0; offerer < offerers; ++offerer) {
    threads.emplace_back([&, offerer] {
      for (std::uint64_t i = 0; i < each; ++i) {
        const auto number = offerer * each + i;
        const auto size = number % 97 == 0 ? 60'000 : number * 31 % 5000;
        auto answer = answers.expect(number);
        while (!journal->offer(record_of(number, size), answer)) std::this_thread::yield();
      }
    });
  }
  std::thread recycler([&] {
    while (!stop) {
      const auto oldest = journal->oldest_sealed();
      if (!journal->use().spare && oldest) {
        ASSERT_TRUE(journal->recycle_before(oldest->last + 1));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      Sequence from = 1;
      while (!stop) {
        journal->wait_for(from, std::chrono::milliseconds(20));
        const auto batch = journal->read(from, 200'000, 50);
        ASSERT_TRUE(batch);
        ASSERT_TRUE(batch->damaged.empty());
        for (const auto& record : batch->records) {
          const auto number = record.project;
          const auto size = number % 97 == 0 ? 60'000 : number * 31 % 5000;
          ASSERT_EQ(record.body, body_of(number, size));
        }
        from = batch->next;
        journal->segments();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  answers.wait();
  stop = true;
  for (auto& thread : readers) thread.join();
  recycler.join();
  std::map<Sequence, std::uint64_t> by_sequence;
  for (const auto& [number, sequence] : answers.stored()) by_sequence[sequence] = number;
  EXPECT_EQ(by_sequence.size(), answers.stored().size());
  EXPECT_EQ(by_sequence.size() + answers.failed().size(), offerers * each);
  if (!by_sequence.empty()) {
    EXPECT_EQ(by_sequence.rbegin()->first, by_sequence.size());
  }
  for (const auto& [sequence, body] : read_all(*journal)) {
    const auto number = by_sequence.at(sequence);
    EXPECT_EQ(body, body_of(number, number % 97 == 0 ? 60'000 : number * 31 % 5000));
  }
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/journal.h"

#include "buffer/journal_support.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

namespace picket::buffer {
namespace {

using namespace std::chrono_literals;
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

std::size_t count_files(const std::filesystem::path& folder, std::string_view part) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    count += entry.path().filename().string().find(part) != std::string::npos ? 1U : 0U;
  }
  return count;
}

TEST(Journal, GivesBackARecordAsItWasOffered) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  Record record = record_of(1);
  record.kind = RecordKind::outcomes;
  record.coding = 4;
  record.flags = 9;
  ASSERT_EQ(append(*journal, record), 1U);
  const auto batch = journal->read_one(1);
  ASSERT_TRUE(batch) << batch.error().detail;
  const auto& read = batch->records.at(0);
  EXPECT_EQ(read.sequence, 1U);
  EXPECT_EQ(read.kind, RecordKind::outcomes);
  EXPECT_EQ(read.coding, 4);
  EXPECT_EQ(read.flags, 9);
  EXPECT_EQ(read.received, record.received);
  EXPECT_EQ(read.project, 1U);
  EXPECT_EQ(read.key, record.key);
  EXPECT_EQ(read.meta, record.meta);
  EXPECT_EQ(read.body, record.body);
}

TEST(Journal, SequencesAreDenseAcrossSegmentsAndRestarts) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  for (std::uint64_t round = 0; round < 3; ++round) {
    const auto journal = open_journal(options, clock);
    for (std::uint64_t i = 1; i <= 60; ++i) {
      ASSERT_EQ(append(*journal, record_of(round * 60 + i, 10'000)), round * 60 + i);
    }
  }
  const auto journal = open_journal(options, clock);
  EXPECT_GT(journal->segments().size(), 3U);
  EXPECT_EQ(journal->use().first, 1U);
  EXPECT_EQ(journal->use().next, 181U);
  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 180U);
  for (const auto& [sequence, body] : all) ASSERT_EQ(body, body_of(sequence, 10'000));
}

TEST(Journal, ABatchKeepsToItsLimitsButGivesAtLeastOne) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  Answers answers;
  for (std::uint64_t i = 1; i <= 50; ++i) ASSERT_TRUE(journal->offer(record_of(i, 1000), answers.expect(i)));
  answers.wait();
  EXPECT_EQ(journal->read(1, 1, 100)->records.size(), 1U);
  EXPECT_EQ(journal->read(1, 1'000'000, 7)->records.size(), 7U);
  const auto some = journal->read(10, 5000, 100);
  EXPECT_EQ(some->records.front().sequence, 10U);
  EXPECT_LE(some->records.size(), 5U);
  EXPECT_EQ(some->next, 10 + some->records.size());
  EXPECT_TRUE(journal->read(51, 5000, 100)->records.empty());
  EXPECT_EQ(journal->read(51, 5000, 100)->next, 51U);
  EXPECT_EQ(journal->read(0, 1, 1)->records.front().sequence, 1U);
}

TEST(Journal, ReadOneSaysWhatIsNotThere) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  ASSERT_EQ(append(*journal, record_of(1)), 1U);
  for (const Sequence sequence : {0UL, 2UL, ~0UL}) {
    const auto missing = journal->read_one(sequence);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().fault, Fault::not_found);
  }
}

TEST(Journal, ARecordLargerThanASegmentIsSplitAndReadWhole) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  {
    const auto journal = open_journal(options, clock);
    ASSERT_EQ(append(*journal, record_of(1, 100)), 1U);
    ASSERT_EQ(append(*journal, record_of(2, 900'000)), 2U);
    ASSERT_EQ(append(*journal, record_of(3, 100)), 3U);
    ASSERT_EQ(append(*journal, record_of(4, 40'000)), 4U);
  }
  const auto journal = open_journal(options, clock);
  EXPECT_EQ(journal->use().next, 5U);
  EXPECT_GE(journal->segments().size(), 4U);
  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all.at(2), body_of(2, 900'000));
  EXPECT_EQ(all.at(4), body_of(4, 40'000));
  EXPECT_EQ(journal->read_one(2)->records.at(0).body, body_of(2, 900'000));
  EXPECT_EQ(journal->read_one(3)->records.at(0).body, body_of(3, 100));
}

TEST(Journal, AHugeRecordPassesAnEmptyQueueAndNothingElsePassesBesideIt) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.queue_bytes = 10'000;
  const auto journal = open_journal(options, clock);
  std::promise<void> release;
  auto held = release.get_future().share();
  ASSERT_TRUE(journal->offer(record_of(1, 50'000), [held](const Result<Sequence>&) { held.wait(); }));
  const auto refused = journal->offer(record_of(2, 100), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
  release.set_value();
  EXPECT_TRUE(journal->wait_for(1, 5s));
  while (!journal->offer(record_of(2, 100), {})) std::this_thread::yield();
}

TEST(Journal, AKeyThatCannotBeStoredIsRefused) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  auto record = record_of(1);
  record.key.assign(300, 'k');
  EXPECT_EQ(journal->offer(record, {}).error().fault, Fault::too_large);
}

TEST(Journal, ClosingCommitsWhatWasOffered) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  Answers answers;
  {
    const auto journal = open_journal(options, clock);
    for (std::uint64_t i = 1; i <= 500; ++i) ASSERT_TRUE(journal->offer(record_of(i), answers.expect(i)));
  }
  answers.wait();
  EXPECT_EQ(answers.stored().size(), 500U);
  EXPECT_EQ(read_all(*open_journal(options, clock)).size(), 500U);
}

TEST(Journal, ManyWaitingShareACommit) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  Answers answers;
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(journal->offer(record_of(i), answers.expect(i)));
  answers.wait();
  const auto use = journal->use();
  EXPECT_EQ(use.committed_records, 1000U);
  EXPECT_LT(use.commits, 500U);
  for (const auto& [number, sequence] : answers.stored()) EXPECT_EQ(number, sequence);
}

TEST(Journal, RecyclingFreesWholeSegmentsAndReusesTheirFiles) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  const auto journal = open_journal(options, clock);
  append_each(*journal, 1, 100, 10'000);
  const auto before = journal->segments();
  ASSERT_GT(before.size(), 4U);
  const auto keep = before[2].first + 1;
  ASSERT_TRUE(journal->recycle_before(keep));
  const auto after = journal->segments();
  EXPECT_EQ(after.size(), before.size() - 2);
  EXPECT_EQ(journal->use().first, before[2].first);
  EXPECT_GE(count_files(folder / "journal", "free-"), 1U);
  EXPECT_EQ(journal->read_one(1).error().fault, Fault::not_found);
  EXPECT_EQ(read_all(*journal).begin()->first, before[2].first);
  append_each(*journal, 101, 200, 10'000);
  const auto all = read_all(*journal);
  EXPECT_EQ(all.rbegin()->first, 200U);
  for (const auto& [sequence, body] : all) ASSERT_EQ(body, body_of(sequence, 10'000));
}

TEST(Journal, NeverRecyclesTheNewestSegmentNorWhatIsNotYetStored) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  append_each(*journal, 1, 10, 100);
  ASSERT_TRUE(journal->recycle_before(1'000'000));
  EXPECT_EQ(read_all(*journal).size(), 10U);
}

TEST(Journal, OutOfBudgetItRefusesUntilRecyclingMakesRoom) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.max_bytes = std::uint64_t{1} << 20;
  const auto journal = open_journal(options, clock);
  std::uint64_t number = 0;
  while (!journal->full()) {
    ++number;
    ASSERT_LT(number, 1000U);
    append(*journal, record_of(number, 10'000));
  }
  EXPECT_GT(number, 40U);
  const auto refused = journal->offer(record_of(0), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unavailable);
  EXPECT_TRUE(journal->use().full);
  EXPECT_FALSE(journal->use().spare);
  EXPECT_LE(journal->use().file_bytes, options.max_bytes);
  ASSERT_TRUE(journal->recycle_before(journal->segments()[1].first));
  EXPECT_FALSE(journal->full());
  EXPECT_NE(append(*journal, record_of(number + 1)), 0U);
}

TEST(Journal, ARingUnderPressureKeepsToItsBudgetForEver) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.max_bytes = std::uint64_t{1} << 20;
  const auto journal = open_journal(options, clock);
  for (std::uint64_t number = 1; number <= 1000; ++number) {
    if (!journal->use().spare) {
      ASSERT_TRUE(journal->recycle_before(journal->segments()[1].first));
    }
    ASSERT_EQ(append(*journal, record_of(number, 8'000)), number);
    ASSERT_LE(journal->use().file_bytes, options.max_bytes);
  }
  const auto all = read_all(*journal);
  for (const auto& [sequence, body] : all) ASSERT_EQ(body, body_of(sequence, 8'000));
}

TEST(Journal, WaitForReturnsWhenTheRecordIsDurableOrTheTimeIsOver) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  EXPECT_FALSE(journal->wait_for(1, 10ms));
  auto waiting = std::async(std::launch::async, [&] { return journal->wait_for(1, 30s); });
  append(*journal, record_of(1));
  EXPECT_TRUE(waiting.get());
  EXPECT_TRUE(journal->wait_for(1, 0ms));
  auto interrupted = std::async(std::launch::async, [&] { return journal->wait_for(2, 30s); });
  while (interrupted.wait_for(1ms) != std::future_status::ready) journal->interrupt();
  EXPECT_FALSE(interrupted.get());
}

TEST(Journal, ListenersRunAfterEachCommit) {
  const TempDir folder;
  const FakeClock clock;
  const auto journal = open_journal(small_options(folder / "journal"), clock);
  std::atomic<int> first{0};
  std::atomic<int> second{0};
  journal->on_commit([&] { ++first; });
  journal->on_commit([&] { ++second; });
  append(*journal, record_of(1));
  append(*journal, record_of(2));
  // After the answers, which append() waits for.
  while (first < 2 || second < 2) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 2);
}

TEST(Journal, TwoWritersOfOneFolderAreRefused) {
  const TempDir folder;
  const FakeClock clock;
  const auto options = small_options(folder / "journal");
  const auto journal = open_journal(options, clock);
  const auto second = Journal::open(options, clock);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().detail.find("another Picket"), std::string::npos);
}

TEST(Journal, AFolderThatCannotBeMadeIsAnError) {
  const FakeClock clock;
  const auto journal = Journal::open(small_options("/proc/nowhere/journal"), clock);
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().fault, Fault::unavailable);
}

TEST(Journal, ReadOnlyOfNothingIsNotFound) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "none");
  options.read_only = true;
  EXPECT_EQ(Journal::open(options, clock).error().fault, Fault::not_found);
}

// LMDB forbids opening a file twice in a process, so that the reader is a child.
int in_child(const std::function<bool()>& check) {
  const auto child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Journal, AnotherProcessReadsWhileThisOneWritesAndRecycles) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.max_bytes = std::uint64_t{2} << 20;
  const auto journal = open_journal(options, clock);
  append_each(*journal, 1, 60, 10'000);
  // Closed once enough was written, and not before some time: however slow the machine, both go on side by side.
  int enough[2] = {};
  ASSERT_EQ(::pipe(enough), 0);
  const auto child = ::fork();
  if (child == 0) {
    ::close(enough[1]);
    const auto wanted = [&] {
      pollfd ended{enough[0], POLLIN, 0};
      return ::poll(&ended, 1, 0) == 0;
    };
    auto watching = options;
    watching.read_only = true;
    std::string wrong;
    const auto until = std::chrono::steady_clock::now() + 2s;
    while (wrong.empty() && (wanted() || std::chrono::steady_clock::now() < until)) {
      const auto seen = Journal::open(watching, clock);
      if (!seen) {
        wrong = "open: " + seen.error().detail;
        break;
      }
      if ((*seen)->offer(record_of(1), {})) wrong = "a read-only journal took a record";
      for (Sequence from = 1; wrong.empty();) {
        const auto batch = (*seen)->read(from, 50'000, 100);
        if (!batch) {
          wrong = "read: " + batch.error().detail;
          break;
        }
        if (!batch->damaged.empty()) wrong = "damaged: " + std::to_string(batch->damaged.front());
        if (batch->records.empty()) break;
        for (const auto& record : batch->records) {
          if (record.body != body_of(record.sequence, 10'000)) wrong = "body of " + std::to_string(record.sequence);
        }
        from = batch->next;
      }
    }
    if (!wrong.empty()) std::fprintf(stderr, "the reading process: %s\n", wrong.c_str());
    ::_exit(wrong.empty() ? 0 : 1);
  }
  int status = 0;
  std::uint64_t number = 60;
  ::close(enough[0]);
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (number > 200 && enough[1] >= 0) {
      ::close(enough[1]);
      enough[1] = -1;
    }
    if (!journal->use().spare) {
      ASSERT_TRUE(journal->recycle_before(journal->segments()[1].first));
    }
    if (append(*journal, record_of(number + 1, 10'000)) != 0) ++number;
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(number, 200U);
}

TEST(Journal, AReadOnlyJournalLeavesNoFilesBehind) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  append_each(*open_journal(options, clock), 1, 60, 10'000);
  const auto files = count_files(folder / "journal", "");
  options.read_only = true;
  EXPECT_EQ(in_child([&] {
              const auto journal = Journal::open(options, clock);
              return journal && read_all(**journal).size() == 60;
            }),
            0);
  EXPECT_EQ(count_files(folder / "journal", ""), files);
}

TEST(Journal, NumbersStartBehindTheGreatestCursorOfAConsumer) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  append_each(*open_journal(options, clock), 1, 3, 100);
  options.next_at_least = 1000;
  {
    const auto journal = open_journal(options, clock);
    EXPECT_EQ(append(*journal, record_of(4)), 1000U);
  }
  const auto all = read_all(*open_journal(options, clock));
  EXPECT_EQ(all.size(), 4U);
  EXPECT_EQ(all.rbegin()->first, 1000U);
}

TEST(Journal, LowDiskSpaceRefuses) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.disk_reserve_bytes = std::uint64_t{1} << 60;
  const auto journal = open_journal(options, clock);
  EXPECT_TRUE(journal->full());
  EXPECT_FALSE(journal->offer(record_of(1), {}));
}

TEST(Journal, ThousandsOfTinyRecordsFitInOneCommitEach) {
  const TempDir folder;
  const FakeClock clock;
  auto options = small_options(folder / "journal");
  options.segment_bytes = std::uint64_t{8} << 20;
  const auto journal = open_journal(options, clock);
  Answers answers;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    Record record;
    ASSERT_TRUE(journal->offer(record, answers.expect(i)));
  }
  answers.wait();
  EXPECT_EQ(answers.stored().size(), 20'000U);
  EXPECT_EQ(read_all(*journal).size(), 20'000U);
}

TEST(Journal, ReadsWhatWasSplitBackIntoAFile) {
  const TempDir dir;
  const FakeClock clock;
  auto spool = Spool::open({.folder = dir.path() / "spool"});
  ASSERT_TRUE(spool);
  auto options = small_options(dir.path() / "journal");
  options.spool = *spool;
  const auto journal = open_journal(options, clock);
  auto record = record_of(1);
  BytesBuilder body({*spool});
  ASSERT_TRUE(body.append(body_of(1, 3'000'000)));
  record.body = *std::move(body).finish();
  ASSERT_TRUE(record.body.in_file());
  ASSERT_EQ(append(*journal, std::move(record)), 1U);
  ASSERT_EQ(append(*journal, record_of(2)), 2U);

  Bytes kept;
  {
    const auto batch = journal->read(1, 1, 1);
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->records.size(), 1U);
    EXPECT_TRUE(batch->records[0].owner);
    EXPECT_EQ(batch->records[0].meta, "meta of 1");
    kept = batch->records[0].keep_body();
  }
  EXPECT_TRUE(kept.in_file());
  EXPECT_TRUE(kept == body_of(1, 3'000'000));
  EXPECT_FALSE(journal->read_one(2)->records[0].owner);
}

TEST(Journal, BodiesInFilesDoNotFillItsQueue) {
  const TempDir dir;
  const FakeClock clock;
  auto spool = Spool::open({.folder = dir.path() / "spool"});
  ASSERT_TRUE(spool);
  auto options = small_options(dir.path() / "journal");
  options.queue_bytes = 1'000'000;
  const auto journal = open_journal(options, clock);
  Answers answers;
  for (std::uint64_t number = 1; number <= 5; ++number) {
    auto record = record_of(number);
    BytesBuilder body({*spool});
    ASSERT_TRUE(body.append(body_of(number, 2'000'000)));
    record.body = *std::move(body).finish();
    ASSERT_TRUE(journal->offer(std::move(record), answers.expect(number)));
  }
  answers.wait();
  EXPECT_EQ(answers.stored().size(), 5U);
  EXPECT_EQ((*spool)->used_bytes(), 0U);
}

}  // namespace
}  // namespace picket::buffer

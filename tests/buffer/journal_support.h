// What the journal's tests share: a journal in a folder of its own, records whose content tells what
// they are, waiting for acknowledgements.
#pragma once

#include "buffer/journal.h"
#include "support/fake_clock.h"
#include "support/files.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace picket::buffer::testing {

using picket::testing::FakeClock;
using picket::testing::read_file;
using picket::testing::TempDir;
using picket::testing::write_over;

inline JournalOptions small_options(const std::filesystem::path& folder) {
  JournalOptions options;
  options.folder = folder;
  options.segment_bytes = std::uint64_t{256} << 10;
  options.max_bytes = std::uint64_t{64} << 20;
  return options;
}

// A body that tells its number, of a length that the number decides, so that mixing up shows.
inline std::string body_of(std::uint64_t number, std::size_t bytes) {
  std::string body = "record " + std::to_string(number) + " ";
  while (body.size() < bytes) body += static_cast<char>('a' + (number + body.size()) % 26);
  return body;
}

inline Record record_of(std::uint64_t number, std::size_t bytes = 100) {
  Record record;
  record.received = time_from_ms(static_cast<std::int64_t>(1'700'000'000'000 + number));
  record.project = number;
  record.key = "0123456789abcdef";
  record.meta = "meta of " + std::to_string(number);
  record.body = body_of(number, bytes);
  return record;
}

// Collects answers, from any thread.
class Answers {
 public:
  OnDurable expect(std::uint64_t number) {
    {
      const std::lock_guard lock(mutex_);
      ++expected_;
    }
    return [this, number](const Result<Sequence>& result) {
      const std::lock_guard lock(mutex_);
      if (result) {
        stored_[number] = *result;
      } else {
        failed_[number] = result.error();
      }
      ++answered_;
      changed_.notify_all();
    };
  }
  // An offer that was refused will not be answered.
  void forget_one() {
    const std::lock_guard lock(mutex_);
    --expected_;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [this] { return answered_ == expected_; }))
        << answered_ << " of " << expected_;
  }
  std::map<std::uint64_t, Sequence> stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }
  std::map<std::uint64_t, Error> failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t expected_ = 0;
  std::size_t answered_ = 0;
  std::map<std::uint64_t, Sequence> stored_;
  std::map<std::uint64_t, Error> failed_;
};

inline std::unique_ptr<Journal> open_journal(const JournalOptions& options, const Clock& clock) {
  auto journal = Journal::open(options, clock);
  EXPECT_TRUE(journal) << journal.error().detail;
  return journal ? *std::move(journal) : nullptr;
}

// Appends one record and waits for it; 0 when that failed.
inline Sequence append(Journal& journal, Record record) {
  Answers answers;
  if (!journal.offer(std::move(record), answers.expect(0))) return 0;
  answers.wait();
  const auto stored = answers.stored();
  return stored.empty() ? 0 : stored.at(0);
}

// Appends records numbered `first` to `last`, one commit each.
inline void append_each(Journal& journal, std::uint64_t first, std::uint64_t last, std::size_t bytes) {
  for (auto number = first; number <= last; ++number) {
    ASSERT_NE(append(journal, record_of(number, bytes)), 0U) << number;
  }
}

// Everything readable from `from` on; checks that sequences ascend. Value: the record's body.
inline std::map<Sequence, std::string> read_all(const Journal& journal,
                                                Sequence from = 1,
                                                std::size_t max_bytes = 100'000,
                                                std::vector<Sequence>* damaged = nullptr) {
  std::map<Sequence, std::string> all;
  for (;;) {
    const auto batch = journal.read(from, max_bytes, 1000);
    EXPECT_TRUE(batch) << batch.error().detail;
    if (!batch) return all;
    for (const auto& record : batch->records) {
      EXPECT_GE(record.sequence, from);
      EXPECT_TRUE(all.emplace(record.sequence, record.body).second) << record.sequence;
    }
    if (damaged != nullptr) {
      damaged->insert(damaged->end(), batch->damaged.begin(), batch->damaged.end());
    } else {
      EXPECT_TRUE(batch->damaged.empty());
    }
    EXPECT_GE(batch->next, from);
    if (batch->records.empty() && batch->damaged.empty()) return all;
    from = batch->next;
  }
}

}  // namespace picket::buffer::testing

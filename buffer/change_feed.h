// Which keys of a few tables the last committed batches touched: what a cache in memory needs to
// follow the tables without reading them again.
//
// INVARIANT  since(a, b) is complete or nothing: it answers only when every transaction in (a, b] was
//            recorded here. Another process that writes leaves a hole, and so does dropping the oldest.
// THREADS    All members from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

class ChangeFeed {
 public:
  explicit ChangeFeed(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // The keys that a transaction touched, possibly none. Told before it commits, so that no snapshot
  // sees a transaction that is missing here; taken back when the commit fails.
  void record(std::uint64_t transaction, std::vector<std::string> keys);
  void take_back(std::uint64_t transaction);

  // The keys touched by the transactions after `from` up to and including `to`, repetitions included.
  std::optional<std::vector<std::string>> since(std::uint64_t from, std::uint64_t to) const;

 private:
  struct Entry {
    std::uint64_t transaction = 0;
    std::vector<std::string> keys;
  };
  static std::size_t cost(const Entry& entry);

  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;  // guarded by mutex_; ascending, without holes
  std::size_t bytes_ = 0;      // guarded by mutex_
};

}  // namespace picket::buffer

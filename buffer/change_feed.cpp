#include "buffer/change_feed.h"

#include <utility>

namespace picket::buffer {

std::size_t ChangeFeed::cost(const Entry& entry) {
  return sizeof(Entry) + entry.keys.size() * sizeof(std::string);
}

void ChangeFeed::record(std::uint64_t transaction, std::vector<std::string> keys) {
  const std::lock_guard lock(mutex_);
  if (!entries_.empty() && entries_.back().transaction + 1 != transaction) {
    // LMDB gives the number of a transaction that changed nothing again.
    if (entries_.back().transaction != transaction) {
      entries_.clear();
      bytes_ = 0;
    }
  }
  Entry entry{transaction, std::move(keys)};
  bytes_ += cost(entry);
  entries_.push_back(std::move(entry));
  while (bytes_ > most_bytes_ && entries_.size() > 1) {
    bytes_ -= cost(entries_.front());
    entries_.pop_front();
  }
}

void ChangeFeed::take_back(std::uint64_t transaction) {
  const std::lock_guard lock(mutex_);
  while (!entries_.empty() && entries_.back().transaction >= transaction) {
    bytes_ -= cost(entries_.back());
    entries_.pop_back();
  }
}

std::optional<std::vector<std::string>> ChangeFeed::since(std::uint64_t from, std::uint64_t to) const {
  std::vector<std::string> keys;
  if (from == to) return keys;
  const std::lock_guard lock(mutex_);
  if (from > to || entries_.empty()) return std::nullopt;
  if (entries_.front().transaction > from + 1 || entries_.back().transaction < to) return std::nullopt;
  for (const auto& entry : entries_) {
    if (entry.transaction <= from || entry.transaction > to) continue;
    keys.insert(keys.end(), entry.keys.begin(), entry.keys.end());
  }
  return keys;
}

}  // namespace picket::buffer

#include "upstream/deferred.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {

void Deferred::add(buffer::Sequence sequence, Entry entry) {
  if (!entry.under_way) none_before_ = std::min(none_before_, entry.until);
  entries_[sequence] = std::move(entry);
}

std::optional<std::pair<buffer::Sequence, Deferred::Entry>> Deferred::start_due(Time now) {
  if (entries_.empty() || now < none_before_) return std::nullopt;
  for (auto& [sequence, entry] : entries_) {
    if (entry.under_way || entry.until > now) continue;
    entry.under_way = true;
    return std::pair(sequence, entry);
  }
  none_before_ = Time::max();
  for (const auto& [sequence, entry] : entries_) {
    if (!entry.under_way) none_before_ = std::min(none_before_, entry.until);
  }
  return std::nullopt;
}

std::optional<Time> Deferred::next_look() const {
  if (none_before_ == Time::max()) return std::nullopt;
  return none_before_;
}

void Deferred::hasten() {
  for (auto& [sequence, entry] : entries_) entry.until = Time{};
  none_before_ = Time{};
}

}  // namespace picket::upstream

#include "relay/ingest/outcome_book.h"

#include <utility>

namespace picket::ingest {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;

}  // namespace

std::int64_t start_of_hour_ms(Time time) {
  return to_ms(time) / hour_ms * hour_ms;
}

void OutcomeBook::count(const Drop& drop, std::uint64_t quantity) {
  if (quantity == 0) return;
  const std::lock_guard lock(mutex_);
  add(drop, quantity);
}

void OutcomeBook::add(const Drop& drop, std::uint64_t quantity) {
  const auto found = sums_.find(drop);
  if (found != sums_.end()) {
    found->second += quantity;
  } else if (sums_.size() < max_entries) {
    sums_.emplace(drop, quantity);
  } else {
    Drop folded;
    folded.outcome = drop.outcome;
    folded.reason = "other";
    sums_[folded] += quantity;
  }
}

std::optional<schema::OutcomeCounts> OutcomeBook::take() {
  std::map<Drop, std::uint64_t> sums;
  {
    const std::lock_guard lock(mutex_);
    sums.swap(sums_);
  }
  if (sums.empty()) return std::nullopt;
  schema::OutcomeCounts counts;
  for (const auto& [drop, quantity] : sums) {
    auto& row = *counts.add_counts();
    row.set_project(drop.project);
    row.set_key(drop.key);
    row.set_category(static_cast<std::uint32_t>(drop.category));
    row.set_outcome(static_cast<std::uint32_t>(drop.outcome));
    row.set_reason(drop.reason);
    row.set_quantity(quantity);
    row.set_hour_ms(drop.hour_ms);
  }
  return counts;
}

void OutcomeBook::put_back(const schema::OutcomeCounts& counts) {
  const std::lock_guard lock(mutex_);
  for (const auto& row : counts.counts()) {
    Drop drop;
    drop.project = row.project();
    drop.key = row.key();
    drop.category = static_cast<relay::DataCategory>(row.category());
    drop.outcome = static_cast<relay::Outcome>(row.outcome());
    drop.reason = row.reason();
    drop.hour_ms = row.hour_ms();
    add(drop, row.quantity());
  }
}

}  // namespace picket::ingest

// The ledger's own count of items: how many of each category were stored, and how many intake dropped
// and why, per project, hour and key. Unlike the outcomes, which count what became of what the digest
// read, this is what forwarders count as well: the items of an envelope as its headers name them.
#pragma once

#include "buffer/journal.h"
#include "buffer/tables.h"
#include "relay/protocol/data_category.h"

#include <array>
#include <cstdint>
#include <map>
#include <tuple>

namespace picket::digest {

// Stored in keys: never renumber. What intake dropped has the number of its outcome.
enum class ItemFate : std::uint8_t {
  stored = 0,
  filtered = 1,
  rate_limited = 2,
  invalid = 3,
  abuse = 4,
};

struct LedgerEntry {
  std::uint64_t project = 0;
  std::int64_t hour_ms = 0;  // of its arrival
  relay::DataCategory category = relay::DataCategory::unknown;
  ItemFate fate = ItemFate::stored;
  std::array<char, 16> key{};  // zeros when unknown

  auto order() const { return std::tie(project, hour_ms, category, fate, key); }
  friend bool operator<(const LedgerEntry& a, const LedgerEntry& b) { return a.order() < b.order(); }
};

class ItemLedger {
 public:
  void add(const LedgerEntry& entry, std::uint64_t quantity) {
    if (quantity > 0) sums_[entry] += quantity;
  }
  void write(buffer::Batch& batch) const;

 private:
  std::map<LedgerEntry, std::uint64_t> sums_;
};

}  // namespace picket::digest

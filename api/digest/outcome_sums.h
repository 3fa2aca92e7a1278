// What became of items, summed up before it is written: one row per project, hour, category,
// outcome, reason and key.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "relay/protocol/data_category.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace picket::digest {

struct OutcomeOf {
  std::uint64_t project = 0;
  std::int64_t hour_ms = 0;
  relay::DataCategory category = relay::DataCategory::unknown;
  relay::Outcome outcome = relay::Outcome::accepted;
  std::string reason;
  std::array<char, 16> key{};  // zeros when unknown

  auto order() const { return std::tie(project, hour_ms, category, outcome, reason, key); }
  friend bool operator<(const OutcomeOf& a, const OutcomeOf& b) { return a.order() < b.order(); }
};

std::int64_t hour_of(Time time);  // its start
std::array<char, 16> outcome_key(std::string_view raw);
// At most 200 characters of [A-Za-z0-9_.:;,/ -]: reasons come from SDKs and become keys.
std::string clean_reason(std::string_view reason);

// INVARIANT  Bounded: past 10,000 different sums, further reasons are counted as "other".
class OutcomeSums {
 public:
  void add(OutcomeOf of, std::uint64_t quantity);
  // Everything accepted of a project becomes invalid for `reason`.
  void reject(std::uint64_t project, std::string_view reason);
  void write(buffer::Batch& batch) const;

  std::uint64_t quantity(relay::Outcome outcome) const;  // of all projects and categories
  bool empty() const { return sums_.empty(); }

 private:
  std::map<OutcomeOf, std::uint64_t> sums_;
};

}  // namespace picket::digest

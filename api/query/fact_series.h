// Aggregates by time: one question's functions and equations in buckets, for all rows together, or for
// each of the greatest groups and for all others.
//
// Bounded as fact_search.h; also at most 10,000 buckets. Empty buckets are there.
//
// THREADS  find_series() from any thread.
#pragma once

#include "api/query/fact_search.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace picket::query {

constexpr std::size_t most_buckets = 10'000;

struct SeriesRequest {
  // `fields`: what groups, then the functions that are charted, then those that it is sorted by;
  // `equations` are charted, too.
  FactRequest facts;
  std::size_t charted_functions = 1;  // of `fields`, behind the groups
  std::int64_t interval_ms = 0;
  std::size_t top = 0;  // groups with a series of their own, by `facts.sorts`; 0: one series of all
  bool others = true;   // and one for those that are not among them
};

struct FactSeries {
  std::vector<FactCell> group;                    // as the plain fields
  bool others = false;
  std::vector<std::vector<FactCell>> values;      // by what is charted, by bucket
};

struct SeriesPage {
  std::int64_t from_ms = 0;  // of the first bucket: a multiple of the interval
  std::size_t buckets = 0;
  std::vector<FactSeries> series;  // greatest group first, the others last
  std::vector<std::string> types;  // by what is charted
};

// REQUIRES: interval_ms > 0. Faults as find_facts().
Result<SeriesPage> find_series(const buffer::Reader& reader, const SeriesRequest& request);

}  // namespace picket::query

// Functions over facts: count(), count_unique(x), sum avg min max p50…p100(x), percentile(x, p), rates,
// apdex([x,] threshold).
//
// Percentiles are exact up to 20,000 values of a group, beyond that of an even sample. Distinct counts are
// exact (distinct.h) up to 1,000,000.
//
// Adding a function: one line in `functions` (aggregates.cpp), its add() and result().
#pragma once

#include "api/query/block_fields.h"
#include "api/query/distinct.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

enum class AggregateKind : std::uint8_t {
  count,
  count_unique,
  count_if,
  failure_count,
  failure_rate,
  sum,
  avg,
  min,
  max,
  percentile,
  per_minute,
  per_second,
  apdex,
  last_seen,
  any,
};

// A function call that makes sense in a dataset.
struct Aggregate {
  AggregateKind kind = AggregateKind::count;
  std::optional<FieldExpression> field;
  double percentile = 0;  // 0 … 1
  double threshold = 0;   // of apdex, in the field's unit
  Operator op = Operator::equal;  // of count_if
  std::string value;
  std::string metric_name;  // only facts of this metric: sum(value,name,counter,unit)
  std::string metric_type;
  std::string meta_type;  // of the answer: integer, number, duration, percentage, rate, date, string
};
// Fault::malformed with the words for a 400.
Result<Aggregate> parse_aggregate(const FieldExpression& expression, facts::Dataset dataset);

// Rows of a block, and the number of the group that each belongs to.
struct GroupedRows {
  std::span<const std::uint32_t> rows;
  std::span<const std::uint32_t> groups;  // by place in `rows`
};

// What one group has gathered for one aggregate.
class Accumulator {
 public:
  // Adds each row to its group's accumulator. `numbers` are the aggregate's. The bytes of memory that this took.
  static std::size_t add(const Aggregate& aggregate, BlockFields& fields, GroupedRows rows, std::span<Accumulator* const> sums,
                         DistinctNumbers& numbers);
  // `minutes` is the length of the time asked for.
  FactValue result(const Aggregate& aggregate, double minutes) const;  // text lives in the accumulator

 private:
  static std::size_t add_distinct(std::span<const std::int64_t> hashes, GroupedRows rows, std::span<Accumulator* const> sums,
                                  DistinctNumbers& numbers);
  void add_number(double number);
  std::size_t sample(double number);
  void add_apdex(double number, double threshold);

  std::uint64_t count_ = 0;
  std::uint64_t hits_ = 0;
  double sum_ = 0;
  double least_ = 0;
  double greatest_ = 0;
  std::uint64_t random_ = 88172645463325252U;
  std::vector<double> sample_;
  DistinctSet distinct_;
  std::string any_;
  std::int64_t last_ns_ = 0;
};

}  // namespace picket::query

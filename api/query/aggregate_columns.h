// What an aggregated answer is computed from: each plain field and each aggregate once, and equations
// over them. Groups and series hold keys and accumulators in the order that this gives them.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include "api/query/fact_search.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

class AggregateColumns {
 public:
  explicit AggregateColumns(facts::Dataset dataset) : dataset_(dataset) {}

  // The column's number, the same for the same text. Fault::malformed for what makes no sense.
  Result<std::size_t> add(const FieldExpression& field);
  Result<std::size_t> add(const Equation& equation);
  std::optional<std::size_t> find(std::string_view text) const;

  const std::vector<FieldExpression>& plain() const { return plain_; }
  const std::vector<Aggregate>& aggregates() const { return aggregates_; }
  std::size_t size() const { return columns_.size(); }

  // Adds rows of a block to what their groups have gathered of one aggregate. The bytes of memory that this took.
  std::size_t gather(std::size_t aggregate, BlockFields& fields, GroupedRows rows, std::span<Accumulator* const> sums) {
    return Accumulator::add(aggregates_[aggregate], fields, rows, sums, distinct_[aggregate]);
  }

  // Every column's cell, of what a group has gathered. `minutes` is the length of its time.
  std::vector<FactCell> render(const std::vector<FactCell>& keys,
                               const Accumulator* sums,
                               double minutes) const;
  // Of the answer's meta; "" for a plain field.
  std::string meta_type(std::size_t column) const;

 private:
  enum class Kind : std::uint8_t { plain, aggregate, equation };
  struct Column {
    std::string text;
    Kind kind = Kind::plain;
    std::size_t at = 0;              // in plain_, aggregates_, equations_
    std::vector<std::size_t> terms;  // of an equation: columns before it
  };

  const facts::Dataset dataset_;
  std::vector<Column> columns_;
  std::vector<FieldExpression> plain_;
  std::vector<Aggregate> aggregates_;
  std::vector<DistinctNumbers> distinct_;  // by aggregate
  std::vector<Equation> equations_;
};

// The plain fields' cells of a row's group.
std::vector<FactCell> group_cells(const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row);

}  // namespace picket::query

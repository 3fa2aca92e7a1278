#include "api/query/aggregate_columns.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

std::optional<double> number_of(const FactCell& cell) {
  using Kind = FactValue::Kind;
  if (cell.kind == Kind::number) return cell.number;
  if (cell.kind == Kind::integer || cell.kind == Kind::boolean) return static_cast<double>(cell.integer);
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> AggregateColumns::find(std::string_view text) const {
  const auto found = std::ranges::find(columns_, text, &Column::text);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

Result<std::size_t> AggregateColumns::add(const FieldExpression& field) {
  if (const auto known = find(field.text)) return *known;
  if (field.is_function()) {
    auto aggregate = parse_aggregate(field, dataset_);
    if (!aggregate) return aggregate.error();
    columns_.push_back({field.text, Kind::aggregate, aggregates_.size(), {}});
    aggregates_.push_back(*std::move(aggregate));
    distinct_.emplace_back();
  } else {
    columns_.push_back({field.text, Kind::plain, plain_.size(), {}});
    plain_.push_back(field);
  }
  return columns_.size() - 1;
}

Result<std::size_t> AggregateColumns::add(const Equation& equation) {
  if (const auto known = find(equation.text())) return *known;
  if (!equation.of_functions())
    return Error{Fault::malformed, "An equation of fields cannot stand beside functions: " + equation.text()};
  std::vector<std::size_t> terms;
  for (const auto& term : equation.terms()) {
    const auto column = add(term);
    if (!column) return column.error();
    terms.push_back(*column);
  }
  columns_.push_back({equation.text(), Kind::equation, equations_.size(), std::move(terms)});
  equations_.push_back(equation);
  return columns_.size() - 1;
}

std::vector<FactCell> AggregateColumns::render(const std::vector<FactCell>& keys,
                                               const Accumulator* sums,
                                               double minutes) const {
  std::vector<FactCell> cells;
  cells.reserve(columns_.size());
  for (const auto& column : columns_) {
    switch (column.kind) {
      case Kind::plain: cells.push_back(keys[column.at]); break;
      case Kind::aggregate: cells.push_back(cell_of(sums[column.at].result(aggregates_[column.at], minutes))); break;
      case Kind::equation: {
        std::vector<std::optional<double>> values;
        for (const auto term : column.terms) values.push_back(number_of(cells[term]));
        const auto result = equations_[column.at].evaluate(values);
        FactCell cell;
        if (result) cell = {.kind = FactValue::Kind::number, .integer = 0, .number = *result, .text = {}};
        cells.push_back(std::move(cell));
        break;
      }
    }
  }
  return cells;
}

std::string AggregateColumns::meta_type(std::size_t column) const {
  switch (columns_[column].kind) {
    case Kind::plain: return "";
    case Kind::aggregate: return aggregates_[columns_[column].at].meta_type;
    case Kind::equation: return "number";
  }
  std::abort();
}

std::vector<FactCell> group_cells(const std::vector<FieldExpression>& plain, BlockFields& fields, std::size_t row) {
  std::vector<FactCell> cells;
  for (const auto& field : plain) cells.push_back(cell_of(fields.coded(field).at(row)));
  return cells;
}

}  // namespace picket::query

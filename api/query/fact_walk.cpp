#include "api/query/fact_walk.h"

namespace picket::query {
namespace {

FieldExpression environment_field() {
  FieldExpression field;
  field.text = field.name = "environment";
  return field;
}

}  // namespace

SplitCondition split_condition(const Condition& condition) {
  SplitCondition both;
  if (condition.kind == ConditionKind::filter && condition.field.is_function() && !condition.negated) {
    both.groups.push_back(condition);
    return both;
  }
  if (condition.kind != ConditionKind::all || condition.negated) {
    both.rows = condition;
    return both;
  }
  for (const auto& part : condition.parts) {
    const bool of_groups = part.kind == ConditionKind::filter && part.field.is_function() && !part.negated;
    (of_groups ? both.groups : both.rows.parts).push_back(part);
  }
  return both;
}

Error FactWalk::too_late() {
  return {Fault::unavailable,
          "Query timeout. Please try again. If the problem persists try a smaller date range or fewer projects."};
}

std::span<const std::uint32_t> FactWalk::select(BlockFields& fields) {
  const auto from_ns = request_.from_ms * ns_per_ms;
  const auto to_ns = request_.to_ms * ns_per_ms;
  const auto& block = fields.block();
  const bool in_time = block.earliest_ns() >= from_ns && block.latest_ns() < to_ns;
  if (in_time && request_.environments.empty() && filter_.passes_all()) {
    while (every_.size() < block.rows()) every_.push_back(static_cast<std::uint32_t>(every_.size()));
    return std::span(every_).first(block.rows());
  }
  std::vector<std::uint8_t> mask(block.rows(), 1);
  if (!in_time) {
    for (std::size_t row = 0; row < mask.size(); ++row) {
      const auto at = fields.time_ns(row);
      if (at < from_ns || at >= to_ns) mask[row] = 0;
    }
  }
  if (!request_.environments.empty()) {
    static const FieldExpression environment = environment_field();
    const auto& values = fields.coded(environment);
    std::vector<std::uint8_t> asked_for;
    for (const auto& value : values.values)
      asked_for.push_back(std::ranges::find(request_.environments, value.text) != request_.environments.end() ? 1 : 0);
    for (std::size_t row = 0; row < mask.size(); ++row)
      mask[row] = static_cast<std::uint8_t>(mask[row] & asked_for[values.codes[row]]);
  }
  filter_.select(fields, mask);
  selected_.clear();
  for (std::uint32_t row = 0; row < mask.size(); ++row) {
    if (mask[row] != 0) selected_.push_back(row);
  }
  return selected_;
}

}  // namespace picket::query

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

void FactWalk::select(BlockFields& fields, std::vector<std::uint8_t>& mask) const {
  for (std::size_t row = 0; row < mask.size(); ++row) {
    const auto at = fields.time_ns(row);
    if (at < request_.from_ms * ns_per_ms || at >= request_.to_ms * ns_per_ms) mask[row] = 0;
  }
  if (!request_.environments.empty()) {
    static const FieldExpression environment = environment_field();
    const auto& values = fields.values(environment);
    for (std::size_t row = 0; row < mask.size(); ++row) {
      if (mask[row] != 0 && std::ranges::find(request_.environments, values[row].text) == request_.environments.end())
        mask[row] = 0;
    }
  }
  filter_.select(fields, mask);
}

}  // namespace picket::query

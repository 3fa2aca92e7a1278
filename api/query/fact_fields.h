// The names of fields of facts, as clients write them, and what they stand for: columns, or what is no column.
#pragma once

#include "api/facts/block.h"
#include "api/query/condition.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace picket::query {

// The columns that may hold a field of that name, to be tried in turn.
std::vector<std::string_view> columns_of_field(facts::Dataset dataset, std::string_view name);

// Fields that are no columns.
enum class SpecialField : std::uint8_t {
  none,
  date,
  time_ns,
  time_s,
  finish,
  project,
  project_id,
  item_id,
  issue,
  issue_id,
  transaction_type,
};
SpecialField special_of(facts::Dataset dataset, const FieldExpression& field);

// What is measured is a number, whatever else an SDK has under the same name: that is found as tags[…].
FieldType type_of(facts::Dataset dataset, const FieldExpression& field);
// Whether values of a stored type are what a field of this type asks for.
bool holds(facts::ValueType stored, FieldType wanted);

}  // namespace picket::query

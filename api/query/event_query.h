// The search language of events, spans, logs and metrics: fields, functions of fields, and conditions.
//
//   query     = any ;  any = all { "OR" all } ;  all = part { ["AND"] part }
//   part      = ["!"] "(" any ")" | filter | free text
//   filter    = ["!"] field ":" [op] value | ["!"] field ":" "[" value { "," value } "]" | ["!"] "has:" field
//   field     = name | "tags[" name ["," type] "]" | function "(" [argument { "," argument }] ")"
//   type      = "string" | "number" | "boolean" | "array"
//
// An operator counts when a number, a duration or a date follows it; else it is part of the text.
// https://docs.sentry.io/concepts/search/
#pragma once

#include "api/query/search.h"
#include "buffer/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

enum class FieldType : std::uint8_t { any, text, number, boolean, array };

// What a column of the answer, a sort or a condition is about.
struct FieldExpression {
  std::string text;  // as it was asked for
  std::string name;  // of a field: without tags[…]
  FieldType type = FieldType::any;
  bool explicit_tag = false;
  std::string function;  // of an aggregate, lower case; then `arguments` instead of `name`
  std::vector<std::string> arguments;

  bool is_function() const { return !function.empty(); }
};
// Fault::malformed with the words for a 400.
Result<FieldExpression> parse_field_expression(std::string_view text);

enum class ConditionKind : std::uint8_t { all, any, filter, has, free_text };

struct Condition {
  ConditionKind kind = ConditionKind::all;
  bool negated = false;
  std::vector<Condition> parts;  // of all, any
  FieldExpression field;         // of filter, has
  Operator op = Operator::equal;
  std::vector<SearchValue> values;  // of filter: one, or several of a list; of free text: one
};

// No condition gives `all` without parts. At most 4 KiB, 200 conditions, 20 parentheses deep.
Result<Condition> parse_event_query(std::string_view text);

}  // namespace picket::query

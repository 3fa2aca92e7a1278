// What a query asks for: filters and texts joined by AND, OR, NOT. AND binds tighter than OR and is
// meant where nothing stands between two terms.
//
// Beyond Sentry's language, `!(…)` is the negation of a group.
#pragma once

#include "api/query/field_expression.h"
#include "api/query/search.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

struct SearchValue {
  std::string text;  // unescaped, except that "\*" stays to tell a star from a wildcard
  bool quoted = false;
  std::optional<double> number{};  // of a typed one: the number, milliseconds, bytes, percent
};

enum class ConditionKind : std::uint8_t { all, any, filter, has, is, free_text };

struct Condition {
  ConditionKind kind = ConditionKind::all;
  bool negated = false;
  std::vector<Condition> parts;  // of all, any
  FieldExpression field;         // of filter, has
  Operator op = Operator::equal;
  std::vector<SearchValue> values;  // of filter: one, or several of a list; of is, free text: one
  std::size_t column = 0;           // in the query, from 1; 0: made by no query

  // `!` and `!=` cancel out.
  bool asks_not() const { return negated != (op == Operator::not_equal); }
  bool empty() const { return kind == ConditionKind::all && parts.empty() && !negated; }
};

// No terms give `all` without parts. Fault::malformed with the words of a 400, which name the column.
Result<Condition> parse_condition(std::string_view text, const SearchLanguage& language, Time now);

// The words with the condition's column.
Error refuse(const Condition& condition, std::string_view words);

}  // namespace picket::query

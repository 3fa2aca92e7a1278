// What a column of an answer, a sort or a condition is about: a field, a tag, or a function of fields.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

enum class FieldType : std::uint8_t { any, text, number, boolean, array };

struct FieldExpression {
  std::string text;  // as it was asked for
  std::string name;  // of a field: without tags[…]; of a feature flag the key of its tag (api/digest/derived_tags.h)
  FieldType type = FieldType::any;
  bool explicit_tag = false;
  std::string function;  // of an aggregate, lower case; then `arguments` instead of `name`
  std::vector<std::string> arguments;

  bool is_function() const { return !function.empty(); }
};
// name, tags[name], tags[name,type], flags[name], function(argument, …). Fault::malformed with the words for a 400.
Result<FieldExpression> parse_field_expression(std::string_view text);

}  // namespace picket::query

#include "api/query/field_expression.h"

#include "api/digest/derived_tags.h"
#include "api/query/pattern.h"

#include <optional>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t most_arguments = 10;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

Error malformed(std::string words) {
  return Error{Fault::malformed, std::move(words)};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<FieldType> parse_field_type(std::string_view word) {
  if (word == "string") return FieldType::text;
  if (word == "number") return FieldType::number;
  if (word == "boolean") return FieldType::boolean;
  if (word == "array") return FieldType::array;
  return std::nullopt;
}

// name or "name", then perhaps ",type".
bool read_tag(std::string_view inside, FieldExpression& field) {
  field.explicit_tag = true;
  const auto comma = inside.rfind(',');
  if (comma != std::string_view::npos) {
    if (const auto type = parse_field_type(trimmed(inside.substr(comma + 1)))) {
      field.type = *type;
      inside = inside.substr(0, comma);
    }
  }
  inside = trimmed(inside);
  if (inside.size() >= 2 && inside.front() == '"' && inside.back() == '"')
    inside = inside.substr(1, inside.size() - 2);
  field.name = inside;
  return !field.name.empty();
}

std::vector<std::string> split_arguments(std::string_view inside) {
  std::vector<std::string> arguments;
  std::size_t from = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= inside.size(); ++i) {
    if (i < inside.size() && inside[i] == '[') ++depth;
    if (i < inside.size() && inside[i] == ']') --depth;
    if (i < inside.size() && (inside[i] != ',' || depth > 0)) continue;
    const auto argument = trimmed(inside.substr(from, i - from));
    if (!argument.empty() || i < inside.size()) arguments.emplace_back(argument);
    from = i + 1;
  }
  return arguments;
}

}  // namespace

Result<FieldExpression> parse_field_expression(std::string_view text) {
  FieldExpression field;
  field.text = text;
  text = trimmed(text);
  if (text.empty() || text.size() > 400) return malformed("Invalid field: '" + field.text.substr(0, 100) + "'");
  if (text.starts_with("tags[") && text.ends_with(']')) {
    if (!read_tag(text.substr(5, text.size() - 6), field)) return malformed("Invalid field: " + field.text);
    return field;
  }
  if (text.starts_with("flags[") && text.ends_with(']')) {
    if (!read_tag(text.substr(6, text.size() - 7), field)) return malformed("Invalid field: " + field.text);
    field.name = digest::flag_key(field.name);
    return field;
  }
  const auto open = text.find('(');
  if (open == std::string_view::npos) {
    field.name = text;
    return field;
  }
  if (open == 0 || text.back() != ')') return malformed("Invalid field: '" + field.text + "'");
  field.function = lower_ascii(text.substr(0, open));
  field.arguments = split_arguments(text.substr(open + 1, text.size() - open - 2));
  if (field.arguments.size() > most_arguments) return malformed(field.text + " has too many arguments");
  return field;
}

}  // namespace picket::query

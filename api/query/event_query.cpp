#include "api/query/event_query.h"

#include "api/query/pattern.h"
#include "api/query/search_values.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t most_bytes = 4096;
constexpr std::size_t most_conditions = 200;
constexpr int deepest = 20;
constexpr std::size_t most_arguments = 10;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '/' || c == '@' || c == '$';
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

bool comparable(std::string_view text) {
  return parse_number(text) || parse_duration(text) || parse_date(text) ||
         parse_relative_date(text, Time{}) ||
         (text.ends_with('%') && parse_number(text.substr(0, text.size() - 1)));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Condition> parse() {
    auto whole = parse_any(0);
    if (!error_ && skip_spaces()) fail("Unmatched ')' in the query; put text with parentheses in quotes.");
    if (error_) return *error_;
    return whole;
  }

 private:
  bool skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ < text_.size();
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void fail(std::string words) {
    if (!error_) error_ = malformed(std::move(words));
  }

  // A word of the language, alone.
  bool take_word(std::string_view upper) {
    const auto here = text_.substr(at_, upper.size());
    if (here.size() != upper.size()) return false;
    for (std::size_t i = 0; i < here.size(); ++i) {
      if ((here[i] & ~0x20) != upper[i]) return false;
    }
    const auto end = at_ + upper.size();
    if (end < text_.size() && !is_space(text_[end]) && text_[end] != '(') return false;
    at_ = end;
    return true;
  }

  Condition parse_any(int depth) {
    Condition any;
    any.kind = ConditionKind::any;
    any.parts.push_back(parse_all(depth));
    while (!error_ && skip_spaces() && take_word("OR")) {
      if (any.parts.back().parts.empty()) fail("A condition is missing beside OR.");
      any.parts.push_back(parse_all(depth));
      if (any.parts.back().parts.empty()) fail("A condition is missing beside OR.");
    }
    if (any.parts.size() == 1) return std::move(any.parts.front());
    return any;
  }

  bool at_or() {
    const auto before = at_;
    const bool found = take_word("OR");
    at_ = before;
    return found;
  }

  Condition parse_all(int depth) {
    Condition all;
    bool after_and = false;
    while (!error_ && skip_spaces() && peek() != ')' && !at_or()) {
      if (take_word("AND")) {
        if (all.parts.empty() || after_and) fail("A condition is missing beside AND.");
        after_and = true;
        continue;
      }
      add(all, parse_part(depth));
      after_and = false;
    }
    if (after_and) fail("A condition is missing beside AND.");
    return all;
  }

  // Words that follow each other are one text.
  static void add(Condition& all, Condition part) {
    const bool words = part.kind == ConditionKind::free_text && !part.values.front().quoted;
    if (words && !all.parts.empty()) {
      auto& last = all.parts.back();
      if (last.kind == ConditionKind::free_text && !last.values.front().quoted) {
        last.values.front().text += " " + part.values.front().text;
        return;
      }
    }
    all.parts.push_back(std::move(part));
  }

  Condition parse_part(int depth) {
    if (++count_ > most_conditions) fail("The query has too many terms.");
    const auto before = at_;
    const bool negated = peek() == '!';
    if (negated) ++at_;
    if (peek() == '(' && !error_) {
      if (depth >= deepest) {
        fail("The query is nested too deeply.");
        return {};
      }
      ++at_;
      auto inside = parse_any(depth + 1);
      skip_spaces();
      if (peek() != ')' || at_ >= text_.size()) {
        fail("Unmatched '(' in the query; put text with parentheses in quotes.");
        return {};
      }
      ++at_;
      inside.negated = inside.negated != negated;
      return inside;
    }
    if (auto filter = parse_filter()) {
      filter->negated = negated;
      return *std::move(filter);
    }
    at_ = before;
    return parse_text();
  }

  // The field before a colon, at_ behind the colon; nothing when there is none.
  std::optional<FieldExpression> take_field() {
    const auto from = at_;
    std::size_t end = at_;
    if (text_.substr(at_).starts_with("tags[")) {
      end = text_.find(']', at_);
      if (end == std::string_view::npos) return std::nullopt;
      ++end;
    } else if (peek() == '"') {
      end = text_.find('"', at_ + 1);
      if (end == std::string_view::npos) return std::nullopt;
      ++end;
    } else {
      while (end < text_.size() && is_name_char(text_[end])) ++end;
      if (end < text_.size() && end > from && text_[end] == '(') {
        end = text_.find(')', end);
        if (end == std::string_view::npos) return std::nullopt;
        ++end;
      }
    }
    if (end == from || end >= text_.size() || text_[end] != ':') return std::nullopt;
    auto name = text_.substr(from, end - from);
    if (name.front() == '"') {
      name = name.substr(1, name.size() - 2);
      FieldExpression quoted;
      quoted.text = quoted.name = name;
      if (name.empty()) return std::nullopt;
      at_ = end + 1;
      return quoted;
    }
    auto field = parse_field_expression(name);
    if (!field) return std::nullopt;
    at_ = end + 1;
    return *std::move(field);
  }

  std::optional<Condition> parse_filter() {
    Condition filter;
    filter.kind = ConditionKind::filter;
    auto field = take_field();
    if (!field) return std::nullopt;
    filter.field = *std::move(field);
    if (filter.field.name == "has" && !filter.field.explicit_tag) return parse_has();
    parse_operator(filter);
    if (peek() == '[' && parse_list(filter)) return filter;
    auto value = take_value();
    if (!value) {
      fail("Empty string after '" + filter.field.text + ":'");
      return filter;
    }
    filter.values.push_back(*std::move(value));
    return filter;
  }

  std::optional<Condition> parse_has() {
    Condition has;
    has.kind = ConditionKind::has;
    auto value = take_value();
    if (!value) return std::nullopt;
    auto field = parse_field_expression(value->text);
    if (!field || field->is_function()) {
      fail("has: needs the name of a field");
      return has;
    }
    has.field = *std::move(field);
    return has;
  }

  void parse_operator(Condition& filter) {
    static constexpr std::array<std::pair<std::string_view, Operator>, 6> operators = {{
        {">=", Operator::greater_or_equal},
        {"<=", Operator::less_or_equal},
        {"!=", Operator::not_equal},
        {">", Operator::greater},
        {"<", Operator::less},
        {"=", Operator::equal},
    }};
    for (const auto& [word, op] : operators) {
      if (!text_.substr(at_).starts_with(word)) continue;
      const auto before = at_;
      at_ += word.size();
      const auto from = at_;
      const auto value = take_value();
      at_ = from;
      if (value && comparable(value->text)) {
        filter.op = op;
      } else {
        at_ = before;
      }
      return;
    }
  }

  bool parse_list(Condition& filter) {
    const auto before = at_;
    ++at_;
    std::vector<SearchValue> values;
    for (;;) {
      skip_spaces();
      if (peek() == '"') {
        auto value = take_quoted();
        if (!value) break;
        values.push_back(*std::move(value));
      } else {
        const auto from = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ']') ++at_;
        const auto item = trimmed(text_.substr(from, at_ - from));
        if (item.empty()) {
          fail("Lists should not have empty values");
          return true;
        }
        values.push_back({std::string(item), false});
      }
      skip_spaces();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() != ']') break;
      ++at_;
      filter.values = std::move(values);
      return true;
    }
    at_ = before;
    return false;
  }

  std::optional<SearchValue> take_quoted() {
    std::string inside;
    for (auto i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\' && i + 1 < text_.size() && text_[i + 1] == '"') {
        inside += text_[++i];
      } else if (text_[i] == '"') {
        at_ = i + 1;
        return SearchValue{std::move(inside), true};
      } else {
        inside += text_[i];
      }
    }
    return std::nullopt;
  }

  std::optional<SearchValue> take_value() {
    if (peek() == '"') {
      if (auto value = take_quoted()) return value;
    }
    std::string value;
    int depth = 0;
    for (; at_ < text_.size() && !is_space(text_[at_]); ++at_) {
      if (text_[at_] == '(') ++depth;
      if (text_[at_] == ')' && --depth < 0) break;
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') continue;
      value += text_[at_];
    }
    if (value.empty()) return std::nullopt;
    return SearchValue{std::move(value), false};
  }

  Condition parse_text() {
    Condition words;
    words.kind = ConditionKind::free_text;
    auto value = take_value();
    if (!value) {
      fail("The query cannot be read at '" + std::string(text_.substr(at_, 40)) + "'");
      value = SearchValue{};
    }
    words.values.push_back(*std::move(value));
    return words;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  std::optional<Error> error_;
};

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

Result<Condition> parse_event_query(std::string_view text) {
  if (text.size() > most_bytes) return malformed("The query is longer than 4096 bytes.");
  return Parser(text).parse();
}

}  // namespace picket::query

#include "api/query/condition.h"

#include "api/query/pattern.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

// Removes the backslash of \"; every other backslash is the value's own.
std::string unescape_quotes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') continue;
    plain += text[i];
  }
  return plain;
}

// Words with one space between them, phrases in quotes apart.
std::vector<SearchValue> texts_of(std::string_view text) {
  std::vector<SearchValue> texts;
  std::string words;
  const auto flush = [&] {
    if (!words.empty()) texts.push_back({unescape_quotes(std::exchange(words, {})), false});
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ' || text[at] == '\t') {
      ++at;
      continue;
    }
    if (text[at] == '"') {
      auto close = at + 1;
      while (close < text.size() && (text[close] != '"' || text[close - 1] == '\\')) ++close;
      if (close < text.size()) {
        flush();
        if (close > at + 1) texts.push_back({unescape_quotes(text.substr(at + 1, close - at - 1)), true});
        at = close + 1;
        continue;
      }
    }
    const auto end = std::min(text.size(), text.find_first_of(" \t", at));
    if (!words.empty()) words += ' ';
    words += text.substr(at, end - at);
    at = end;
  }
  flush();
  return texts;
}

class Lowering {
 public:
  explicit Lowering(std::string_view text) : text_(text) {}

  Result<Condition> lower(const std::vector<SearchNode>& nodes) {
    auto whole = read_any(nodes);
    if (error_) return *error_;
    return whole;
  }

 private:
  void fail(std::size_t at, std::string_view words) {
    if (!error_) error_ = search_error(text_, at, words);
  }
  std::size_t column_of(std::size_t at) {
    for (; counted_ < at; ++counted_) column_ += (text_[counted_] & 0xc0) != 0x80 ? 1 : 0;
    return column_;
  }

  // A group that stands right behind the node, whose text then says what to do with it.
  static bool touches_group(const std::vector<SearchNode>& nodes, std::size_t i) {
    if (i + 1 < nodes.size() && nodes[i + 1].kind == NodeKind::spaces && nodes[i + 1].text.empty()) ++i;
    return i + 1 < nodes.size() && nodes[i + 1].kind == NodeKind::group;
  }

  struct Sides {
    Condition any;
    bool after_logic = false;
    bool negate_next = false;
  };

  Condition read_any(const std::vector<SearchNode>& nodes) {
    Sides sides;
    sides.any.kind = ConditionKind::any;
    sides.any.parts.emplace_back();
    std::size_t last_logic = 0;
    for (std::size_t i = 0; i < nodes.size() && !error_; ++i) {
      const auto& node = nodes[i];
      if (node.kind == NodeKind::spaces) continue;
      if (node.kind == NodeKind::logic) {
        last_logic = node.at;
        read_logic(sides, node.at, node.text);
      } else if (node.kind == NodeKind::free_text && !node.quoted && touches_group(nodes, i)) {
        read_before_group(sides, node);
      } else {
        add(sides, node);
      }
    }
    if (sides.after_logic) fail(last_logic, "A condition is missing behind this AND or OR.");
    if (sides.any.parts.size() == 1) return std::move(sides.any.parts.front());
    return std::move(sides.any);
  }

  void read_logic(Sides& sides, std::size_t at, std::string_view word) {
    if (sides.after_logic || sides.any.parts.back().parts.empty()) {
      return fail(at, "A condition is missing before this " + std::string(word) + ".");
    }
    sides.after_logic = true;
    if (word == "OR") sides.any.parts.emplace_back();
  }

  // "!(" negates, "OR(" joins.
  void read_before_group(Sides& sides, const SearchNode& node) {
    const auto space = node.text.rfind(' ');
    const auto from = space == std::string::npos ? 0 : space + 1;
    const auto word = lower_ascii(std::string_view(node.text).substr(from));
    if (word != "!" && word != "or" && word != "and") return add(sides, node);
    auto before = node;
    before.text.resize(from);
    if (from > 0) add(sides, before);
    if (word == "!") {
      sides.negate_next = true;
    } else {
      read_logic(sides, node.at + from, word == "or" ? "OR" : "AND");
    }
  }

  void add(Sides& sides, const SearchNode& node) {
    auto& parts = sides.any.parts.back().parts;
    const auto column = column_of(node.at);
    if (node.invalid) return fail(node.at, node.invalid->reason);
    if (node.kind == NodeKind::free_text) {
      add_texts(node, parts);
    } else if (node.kind == NodeKind::group) {
      parts.push_back(read_any(node.inner));
      parts.back().column = column;
      parts.back().negated = parts.back().negated != std::exchange(sides.negate_next, false);
    } else {
      parts.push_back(read_filter(node));
    }
    sides.after_logic = false;
  }

  void add_texts(const SearchNode& node, std::vector<Condition>& parts) {
    auto texts = node.quoted ? std::vector<SearchValue>{{unescape_quotes(node.text), true}} : texts_of(node.text);
    for (auto& text : texts) {
      if (text.text.empty()) continue;
      Condition words;
      words.kind = ConditionKind::free_text;
      words.column = column_of(node.at);
      words.values.push_back(std::move(text));
      parts.push_back(std::move(words));
    }
  }

  Condition read_filter(const SearchNode& node) {
    Condition filter;
    filter.column = column_of(node.at);
    filter.negated = node.negated;
    filter.op = node.op.value_or(Operator::equal);
    filter.kind = node.filter == FilterKind::has  ? ConditionKind::has
                  : node.filter == FilterKind::is ? ConditionKind::is
                                                  : ConditionKind::filter;
    if (filter.kind == ConditionKind::has) {
      const auto& asked = node.values.front();
      filter.field = asked.quoted ? named(asked.text) : field_of(node, unescape_quotes(asked.text));
      return filter;
    }
    filter.field = node.key.form == KeyForm::simple
                       ? named(node.key.name)
                       : field_of(node, text_.substr(node.key.at, node.key.end - node.key.at));
    for (const auto& value : node.values) {
      const bool typed = value.kind != LiteralKind::text;
      const auto text = typed ? text_.substr(value.at, value.end - value.at) : std::string_view(value.text);
      const bool dated = value.kind == LiteralKind::date || value.kind == LiteralKind::relative_date;
      filter.values.push_back({unescape_quotes(text), value.quoted, typed && !dated ? std::optional(value.number) : std::nullopt});
    }
    return filter;
  }

  static FieldExpression named(std::string_view name) {
    FieldExpression field;
    field.text = field.name = name;
    return field;
  }

  FieldExpression field_of(const SearchNode& node, std::string_view text) {
    auto field = parse_field_expression(text);
    if (!field) {
      fail(node.at, field.error().detail);
      return {};
    }
    if (field->is_function() && node.filter == FilterKind::has) fail(node.at, "has: needs the name of a field");
    return *std::move(field);
  }

  std::string_view text_;
  std::size_t counted_ = 0;
  std::size_t column_ = 1;
  std::optional<Error> error_;
};

}  // namespace

Result<Condition> parse_condition(std::string_view text, const SearchLanguage& language, Time now) {
  // What surrounds a query is no part of it; spaces before it count as columns.
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n' || text.back() == '\r'))
    text.remove_suffix(1);
  const auto from = std::min(text.size(), text.find_first_not_of(" \t\r\n"));
  std::string spaced;
  if (text.substr(0, from).find_first_not_of(' ') != std::string_view::npos) {
    spaced = std::string(from, ' ') + std::string(text.substr(from));
    text = spaced;
  }
  const auto tree = parse_search(text, language, now);
  if (!tree) return tree.error();
  return Lowering(text).lower(tree->nodes);
}

Error refuse(const Condition& condition, std::string_view words) {
  auto text = std::string(words);
  if (condition.column != 0) text += " (column " + std::to_string(condition.column) + ")";
  return Error{Fault::malformed, std::move(text)};
}

}  // namespace picket::query

#include "api/query/search_filters.h"

#include "relay/protocol/envelope.h"

#include <algorithm>

namespace picket::query {
namespace {

bool is_item_char(char c) {
  return c != '(' && c != ')' && c != ',' && c != ' ';
}

}  // namespace

FilterReader::FilterReader(std::string_view text, const SearchLanguage& language, Time now)
    : text_(text), language_(language), now_(now), keys_(text, language.open) {}

KeyKinds FilterReader::kinds_of(const SearchKey& key) const {
  if (key.form == KeyForm::simple) return language_.kinds_of(key.name);
  if (key.form == KeyForm::number_tag || key.form == KeyForm::number_flag) return key_number;
  return key.form == KeyForm::boolean_tag ? key_boolean : key_text;
}

std::optional<SearchNode> FilterReader::read(std::size_t at) const {
  SearchNode node;
  node.kind = NodeKind::filter;
  node.at = at;
  node.negated = at < text_.size() && text_[at] == '!';
  auto key = keys_.read(node.negated ? at + 1 : at);
  if (!key || key->end >= text_.size() || text_[key->end] != ':') return std::nullopt;
  node.key = *std::move(key);
  node.end = node.key.end + 1;
  const auto kinds = kinds_of(node.key);
  if (node.key.form == KeyForm::aggregate) {
    if (!read_aggregate_value(node)) return std::nullopt;
  } else if (!read_typed(node, kinds) && !read_has_or_is(node) && !read_text_list(node)) {
    read_text(node, kinds);
  }
  node.invalid = check(node, kinds);
  return node;
}

bool FilterReader::take(SearchNode& node, FilterKind filter, ReadLiteral literal, bool with_operator) const {
  auto at = node.end;
  const auto op = with_operator ? read_operator(text_, at) : std::nullopt;
  auto value = literal(text_, at, now_);
  if (!value) return false;
  node.filter = filter;
  node.op = op;
  node.end = value->end;
  node.values.push_back(*std::move(value));
  return true;
}

bool FilterReader::read_typed(SearchNode& node, KeyKinds kinds) const {
  if ((kinds & key_date) != 0 && (!node.negated || language_.open)) {
    auto at = node.end;
    if (read_operator(text_, at) && take(node, FilterKind::date, read_date, true)) return true;
    if (take(node, FilterKind::specific_date, read_date, false)) return true;
    if (take(node, FilterKind::relative_date, read_relative_date, false)) return true;
  }
  if ((kinds & key_duration) != 0 && take(node, FilterKind::duration, read_duration, true)) return true;
  if ((kinds & key_size) != 0 && take(node, FilterKind::size, read_size, true)) return true;
  if ((kinds & key_boolean) != 0 && take(node, FilterKind::boolean, read_boolean, false)) return true;
  if ((kinds & key_number) != 0) {
    if (read_number_list(node)) return true;
    if (take(node, FilterKind::numeric, read_number, true)) return true;
  }
  return language_.open && kinds == key_text && read_open(node);
}

// A key that may hold anything compares by what follows its operator.
bool FilterReader::read_open(SearchNode& node) const {
  auto at = node.end;
  if (!read_operator(text_, at)) return false;
  return take(node, FilterKind::date, read_date, true) || take(node, FilterKind::duration, read_duration, true) ||
         take(node, FilterKind::size, read_size, true) || take(node, FilterKind::numeric, read_number, true) ||
         take(node, FilterKind::relative_date, read_relative_date, true);
}

bool FilterReader::read_aggregate_value(SearchNode& node) const {
  const auto of_kind = [&](KeyKind kind) {
    if (language_.open) return kind != key_duration || !node.key.name.starts_with("count");
    return std::ranges::any_of(node.key.arguments, [&](const KeyArgument& argument) {
      return argument.there && (language_.kinds_of(argument.text) & kind) != 0;
    });
  };
  if (of_kind(key_duration) && take(node, FilterKind::aggregate_duration, read_duration, true)) return true;
  if (take(node, FilterKind::aggregate_size, read_size, true)) return true;
  if (take(node, FilterKind::aggregate_numeric, read_number, true)) return true;
  if (of_kind(key_percentage) && take(node, FilterKind::aggregate_percentage, read_percentage, true)) return true;
  if (of_kind(key_date) && take(node, FilterKind::aggregate_date, read_date, true)) return true;
  return take(node, FilterKind::aggregate_relative_date, read_relative_date, true);
}

bool FilterReader::read_has_or_is(SearchNode& node) const {
  if (node.key.form != KeyForm::simple || node.key.quoted) return false;
  if (node.key.name == "is") {
    node.filter = FilterKind::is;
  } else if (node.key.name == "has") {
    node.filter = FilterKind::has;
  } else {
    return false;
  }
  auto value = text_value(node.end);
  if (node.filter == FilterKind::has) {
    if (const auto asked = keys_.read(node.end); asked && asked->form != KeyForm::aggregate) {
      value.quoted = asked->form == KeyForm::simple && asked->quoted;
      value.text = asked->form == KeyForm::simple ? asked->name : std::string(text_.substr(asked->at, asked->end - asked->at));
      value.end = asked->end;
    }
  }
  node.end = value.end;
  node.values.push_back(std::move(value));
  return true;
}

template <class ReadItem>
bool FilterReader::read_list(SearchNode& node, FilterKind filter, ReadItem read_item) const {
  auto at = node.end;
  if (at >= text_.size() || text_[at] != '[') return false;
  auto item = read_item(++at);
  if (!item) return false;
  at = item->end;
  std::vector<Literal> items;
  items.push_back(*std::move(item));
  for (;;) {
    const auto comma = keys_.spaces_end(at);
    if (comma >= text_.size() || text_[comma] != ',') break;
    const auto from = keys_.spaces_end(comma + 1);
    if (from < text_.size() && text_[from] == ',') break;
    auto next = read_item(from);
    Literal literal = next ? *std::move(next) : Literal{};
    literal.there = next.has_value();
    literal.separator = text_.substr(at, from - at);
    at = literal.there ? literal.end : from;
    items.push_back(std::move(literal));
  }
  if (at >= text_.size() || text_[at] != ']' || !at_value_end(text_, at + 1)) return false;
  node.filter = filter;
  node.values = std::move(items);
  node.end = at + 1;
  return true;
}

bool FilterReader::read_number_list(SearchNode& node) const {
  return read_list(node, FilterKind::numeric_in, [&](std::size_t at) { return read_number(text_, at, now_); });
}

bool FilterReader::read_text_list(SearchNode& node) const {
  return read_list(node, FilterKind::text_in, [&](std::size_t at) { return list_item(at); });
}

// In quotes, or a run that ends before a comma; one that no comma follows ends before its last ']'.
std::optional<Literal> FilterReader::list_item(std::size_t at) const {
  if (keys_.closing_quote(at) != std::string_view::npos) return text_value(at);
  auto end = at;
  while (end < text_.size() && is_item_char(text_[end])) ++end;
  const auto comma = keys_.spaces_end(end);
  if (comma >= text_.size() || text_[comma] != ',') {
    const auto bracket = text_.substr(at, end - at).rfind(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    end = at + bracket;
  }
  if (end == at) return std::nullopt;
  Literal item;
  item.at = at;
  item.end = end;
  item.text = text_.substr(at, end - at);
  return item;
}

Literal FilterReader::text_value(std::size_t at) const {
  Literal value;
  value.at = at;
  if (const auto close = keys_.closing_quote(at); close != std::string_view::npos) {
    value.quoted = true;
    value.text = text_.substr(at + 1, close - at - 1);
    value.end = close + 1;
    return value;
  }
  value.end = at;
  while (!at_value_end(text_, value.end) && text_[value.end] != '(') ++value.end;
  value.text = text_.substr(at, value.end - at);
  return value;
}

void FilterReader::read_text(SearchNode& node, KeyKinds kinds) const {
  auto at = node.end;
  node.filter = FilterKind::text;
  if ((kinds & key_version) != 0) node.op = read_operator(text_, at);
  auto value = text_value(at);
  node.end = value.end;
  node.values.push_back(std::move(value));
}

Invalid FilterReader::invalid(InvalidKind kind, std::vector<FilterKind> expected) const {
  auto reason = language_.words_of(kind);
  if (kind == InvalidKind::invalid_date_format) {
    const auto minute_ms = to_ms(now_) / 60'000 * 60'000;
    const auto example = relay::render_timestamp(minute_ms);
    reason += " Expected +/-duration (e.g. +1h) or ISO 8601-like (e.g. " + example.substr(0, 10) + " or " +
              example.substr(0, 19) + ".000Z)";
  }
  return Invalid{kind, std::move(reason), std::move(expected)};
}

std::optional<Invalid> FilterReader::check_free_text(std::string_view words) const {
  if (!language_.free_text) return invalid(InvalidKind::free_text_not_allowed);
  if (!language_.wildcards && words.find('*') != std::string_view::npos) return invalid(InvalidKind::wildcard_not_allowed);
  return std::nullopt;
}

// A text where the key is none.
std::optional<Invalid> FilterReader::check_kind(KeyKinds kinds) const {
  if ((kinds & key_duration) != 0) return invalid(InvalidKind::invalid_duration, {FilterKind::duration});
  if ((kinds & key_date) != 0) {
    return invalid(InvalidKind::invalid_date_format, {FilterKind::date, FilterKind::specific_date, FilterKind::relative_date});
  }
  if ((kinds & key_boolean) != 0) return invalid(InvalidKind::invalid_boolean, {FilterKind::boolean});
  if ((kinds & key_size) != 0) return invalid(InvalidKind::invalid_file_size, {FilterKind::size});
  if ((kinds & key_number) != 0) return invalid(InvalidKind::invalid_number, {FilterKind::numeric, FilterKind::numeric_in});
  return std::nullopt;
}

std::optional<Invalid> FilterReader::check_text(const Literal& value) const {
  if (!language_.wildcards && value.text.find('*') != std::string::npos) return invalid(InvalidKind::wildcard_not_allowed);
  if (value.quoted) return std::nullopt;
  if (keys_.has_quote(value.at, value.end)) return invalid(InvalidKind::must_be_quoted);
  if (value.text.empty()) return invalid(InvalidKind::filter_must_have_value);
  return std::nullopt;
}

std::optional<Invalid> FilterReader::check(const SearchNode& node, KeyKinds kinds) const {
  if (language_.only && !language_.only->contains(node.key.name)) {
    const std::string key(text_.substr(node.key.at, node.key.end - node.key.at));
    auto refused = invalid(InvalidKind::invalid_key);
    refused.reason += " \"" + key + "\" is not a supported search key.";
    return refused;
  }
  if (node.key.form == KeyForm::aggregate) {
    const bool whole = std::ranges::all_of(node.key.arguments, &KeyArgument::there);
    return whole ? std::nullopt : std::optional(invalid(InvalidKind::empty_parameter));
  }
  if (node.filter == FilterKind::text_in || node.filter == FilterKind::numeric_in) {
    if (!std::ranges::all_of(node.values, &Literal::there)) return invalid(InvalidKind::empty_value_in_list);
    const auto starred = [](const Literal& value) { return value.text.find('*') != std::string::npos; };
    const bool refused = !language_.wildcards && std::ranges::any_of(node.values, starred);
    return refused ? std::optional(invalid(InvalidKind::wildcard_not_allowed)) : std::nullopt;
  }
  if (node.filter == FilterKind::has || node.filter == FilterKind::is) return check_text(node.values.front());
  if (node.filter != FilterKind::text) return std::nullopt;
  if (node.key.form == KeyForm::simple) {
    if (auto refused = check_kind(kinds)) return refused;
  }
  return check_text(node.values.front());
}

}  // namespace picket::query

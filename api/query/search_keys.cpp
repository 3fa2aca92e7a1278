#include "api/query/search_keys.h"

#include "api/query/search_literals.h"

#include <algorithm>

namespace picket::query {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_search_digit(c) || c == '_' || c == '.' || c == '-';
}

std::optional<KeyForm> typed_form(std::string_view prefix, std::string_view type) {
  const bool flag = prefix == "flags";
  if (type.empty()) return flag ? KeyForm::flag : KeyForm::tag;
  if (type == "string") return flag ? KeyForm::string_flag : KeyForm::string_tag;
  if (type == "number") return flag ? KeyForm::number_flag : KeyForm::number_tag;
  if (type == "boolean" && !flag) return KeyForm::boolean_tag;
  if (type == "array" && !flag) return KeyForm::array_tag;
  return std::nullopt;
}

}  // namespace

KeyReader::KeyReader(std::string_view text, bool open) : text_(text), open_(open), next_quote_(text.size() + 1) {
  next_quote_[text.size()] = static_cast<std::uint32_t>(text.size());
  for (auto i = text.size(); i-- > 0;) {
    const bool bare = text[i] == '"' && (i == 0 || text[i - 1] != '\\');
    next_quote_[i] = bare ? static_cast<std::uint32_t>(i) : next_quote_[i + 1];
  }
}

bool KeyReader::has_quote(std::size_t at, std::size_t end) const {
  return next_quote_[at] < end;
}

std::size_t KeyReader::closing_quote(std::size_t at) const {
  if (at >= text_.size() || text_[at] != '"') return std::string_view::npos;
  const auto close = next_quote_[at + 1];
  return close < text_.size() ? close : std::string_view::npos;
}

std::size_t KeyReader::name_end(std::size_t at) const {
  while (at < text_.size() &&
         (is_name_char(text_[at]) || (open_ && (text_[at] == '/' || text_[at] == '@' || text_[at] == '$'))))
    ++at;
  return at;
}

std::size_t KeyReader::spaces_end(std::size_t at) const {
  while (at < text_.size() && text_[at] == ' ') ++at;
  return at;
}

std::optional<SearchKey> KeyReader::read_quoted_key(std::size_t at) const {
  const auto close = closing_quote(at);
  if (close == std::string_view::npos || close == at + 1) return std::nullopt;
  SearchKey key;
  key.name = text_.substr(at + 1, close - at - 1);
  key.quoted = true;
  key.at = at;
  key.end = close + 1;
  const bool plain = std::ranges::all_of(key.name, [](char c) { return is_name_char(c) || c == ':'; });
  if (!plain && !open_) return std::nullopt;
  return key;
}

// tags[name], flags["name", number]: a name in brackets may hold anything but brackets and commas.
std::optional<SearchKey> KeyReader::read_explicit_key(std::size_t at) const {
  const auto rest = text_.substr(at);
  const std::string_view prefix = rest.starts_with("tags[") ? "tags" : "flags";
  if (!rest.starts_with("tags[") && !rest.starts_with("flags[")) return std::nullopt;
  const auto from = at + prefix.size() + 1;
  SearchKey key;
  auto end = from;
  if (const auto close = closing_quote(from); close != std::string_view::npos) {
    key.name = text_.substr(from + 1, close - from - 1);
    key.quoted = true;
    end = close + 1;
  } else {
    end = std::min(text_.size(), text_.find_first_of("[](),\"\t\n", from));
    key.name = text_.substr(from, end - from);
    while (!key.name.empty() && key.name.back() == ' ') key.name.pop_back();
  }
  if (key.name.empty()) return std::nullopt;
  end = spaces_end(end);
  std::string_view type;
  if (end < text_.size() && text_[end] == ',') {
    const auto type_at = spaces_end(end + 1);
    end = name_end(type_at);
    type = text_.substr(type_at, end - type_at);
    end = spaces_end(end);
    if (type.empty()) return std::nullopt;
  }
  const auto form = typed_form(prefix, type);
  if (!form || end >= text_.size() || text_[end] != ']') return std::nullopt;
  key.form = *form;
  key.at = at;
  key.end = end + 1;
  return key;
}

std::optional<KeyArgument> KeyReader::read_argument(std::size_t at, std::size_t& end) const {
  KeyArgument argument;
  const auto close = closing_quote(at);
  if (close != std::string_view::npos && text_.substr(at, close - at).find_first_of("\t\n") == std::string_view::npos) {
    argument.quoted = true;
    end = close + 1;
  } else {
    // A typed tag has a comma and spaces of its own.
    const auto tag = open_ ? read_explicit_key(at) : std::nullopt;
    const auto from = tag ? tag->end : at;
    end = std::min(text_.size(), text_.find_first_of("()\t\n, \"", from));
    if (end == at) return std::nullopt;
  }
  argument.text = text_.substr(at, end - at);
  return argument;
}

// The parentheses after a function's name.
bool KeyReader::read_aggregate(SearchKey& key) const {
  auto at = key.end + 1;
  auto end = spaces_end(at);
  key.space_before = text_.substr(at, end - at);
  at = end;
  if (auto first = read_argument(at, end)) {
    key.arguments.push_back(*std::move(first));
    at = end;
    for (;;) {
      const auto comma = spaces_end(at);
      if (comma >= text_.size() || text_[comma] != ',') break;
      const auto from = spaces_end(comma + 1);
      if (from < text_.size() && text_[from] == ',') break;
      auto next = read_argument(from, end);
      KeyArgument argument = next ? *std::move(next) : KeyArgument{};
      argument.there = next.has_value();
      argument.separator = text_.substr(at, from - at);
      at = argument.there ? end : from;
      key.arguments.push_back(std::move(argument));
    }
  }
  end = spaces_end(at);
  key.space_after = text_.substr(at, end - at);
  if (end >= text_.size() || text_[end] != ')') return false;
  key.form = KeyForm::aggregate;
  key.end = end + 1;
  return true;
}

std::optional<SearchKey> KeyReader::read(std::size_t at) const {
  if (auto key = read_explicit_key(at)) return key;
  if (at < text_.size() && text_[at] == '"') return read_quoted_key(at);
  SearchKey key;
  key.at = at;
  key.end = name_end(at);
  if (key.end == at) return std::nullopt;
  key.name = text_.substr(at, key.end - at);
  if (key.end < text_.size() && text_[key.end] == '(' && !read_aggregate(key)) return std::nullopt;
  return key;
}

}  // namespace picket::query

#include "api/query/search.h"

#include "api/query/search_values.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace picket::query {
namespace {

constexpr std::size_t most_bytes = 4096;
constexpr std::size_t most_terms = 200;
constexpr int deepest_parentheses = 20;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

template <std::size_t Count>
bool one_of(std::string_view text, const std::array<std::string_view, Count>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

Error malformed(std::string words) {
  return Error{Fault::malformed, std::move(words)};
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

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

bool has_bare_quote(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) return true;
  }
  return false;
}

// The end of the group that opens at `from`, or npos when it never closes. Quotes hide parentheses.
std::size_t closing_parenthesis(std::string_view text, std::size_t from) {
  int depth = 0;
  for (auto i = from; i < text.size(); ++i) {
    if (text[i] == '"' && i > 0 && text[i - 1] != '\\') {
      const auto end = text.find('"', i + 1);
      if (end != std::string_view::npos) i = end;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

std::optional<Error> check_value(const SearchTerm& term, const SearchValue& value) {
  const auto& text = value.text;
  switch (key_type(term.key)) {
    case KeyType::text:
    case KeyType::version:
      return std::nullopt;
    case KeyType::number:
      if (parse_number(text)) return std::nullopt;
      return malformed(term.key + ": " + quoted(text) + " is not a number (a suffix k, m or b is allowed)");
    case KeyType::duration:
      if (parse_duration(text) || parse_number(text)) return std::nullopt;
      return malformed(term.key + ": " + quoted(text) + " is not a duration (500ms, 3.3s, 2m, 1h, 3d, 1w)");
    case KeyType::boolean:
      if (parse_boolean(text)) return std::nullopt;
      return malformed(term.key + ": " + quoted(text) + " is not a boolean (true, 1, false or 0)");
    case KeyType::date:
      if (parse_date(text) || (term.op == Operator::equal && parse_relative_date(text, Time{}))) return std::nullopt;
      return malformed(term.key + ": " + quoted(text) +
                       " is not a date (-24h, +14d, 2024-01-31 or 2024-01-31T12:00:00Z)");
  }
  std::abort();
}

class Parser {
 public:
  Parser(std::string_view text, int depth) : text_(text), depth_(depth) {}

  Result<std::vector<SearchTerm>> parse() {
    while (skip_spaces()) {
      const auto before = at_;
      if (auto filter = parse_filter()) {
        end_words();
        terms_.push_back(*std::move(filter));
      } else if (!error_) {
        at_ = before;
        parse_free_text();
      }
      if (error_) return *error_;
      if (terms_.size() > most_terms) return malformed("The query has too many terms.");
    }
    end_words();
    return std::move(terms_);
  }

 private:
  bool skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ < text_.size();
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) { return peek() == c && at_ < text_.size() ? (++at_, true) : false; }
  void fail(std::string words) {
    if (!error_) error_ = malformed(std::move(words));
  }

  std::string_view take_key_chars() {
    const auto from = at_;
    while (at_ < text_.size() && is_key_char(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  // A quoted run with its quotes, unescaped; at_ unmoved when the quote never closes.
  std::optional<std::string> take_quoted() {
    if (peek() != '"') return std::nullopt;
    for (auto i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\' && i + 1 < text_.size() && text_[i + 1] == '"') {
        ++i;
      } else if (text_[i] == '"') {
        auto inside = unescape_quotes(text_.substr(at_ + 1, i - at_ - 1));
        at_ = i + 1;
        return inside;
      }
    }
    return std::nullopt;
  }

  bool parse_key(SearchTerm& term) {
    if (text_.substr(at_).starts_with("tags[")) {
      at_ += 5;
      auto name = take_quoted();
      term.key = name ? *std::move(name) : std::string(take_key_chars());
      if (take(',')) take_key_chars();  // tags[key,number]: tags are text here
      term.explicit_tag = true;
      return !term.key.empty() && take(']');
    }
    if (peek() == '"') {
      const auto key = take_quoted();
      if (!key || key->empty()) return false;
      for (const char c : *key) {
        if (!is_key_char(c) && c != ':') return false;
      }
      term.key = *key;
      return true;
    }
    term.key = std::string(take_key_chars());
    return !term.key.empty();
  }

  std::optional<SearchTerm> parse_filter() {
    SearchTerm term;
    term.kind = TermKind::filter;
    term.negated = take('!');
    const auto name_at = at_;
    if (!parse_key(term)) return std::nullopt;
    if (peek() == '(') return parse_aggregate(name_at);
    if (!take(':')) return std::nullopt;
    const bool plain = !term.explicit_tag && text_[name_at] != '"';
    if (plain && term.key == "has") return parse_has(std::move(term));
    parse_operator(term);
    if (parse_list(term)) {
      check(term);
      return term;
    }
    SearchValue value;
    if (!parse_value(term.key, value)) return std::nullopt;
    term.values.push_back(std::move(value));
    if (plain && term.key == "is") {
      term.kind = TermKind::is;
    } else {
      check(term);
    }
    return term;
  }

  std::optional<SearchTerm> parse_has(SearchTerm term) {
    SearchValue value;
    if (!parse_value("has", value)) return std::nullopt;
    term.kind = TermKind::has;
    term.key = std::move(value.text);
    return term;
  }

  void parse_operator(SearchTerm& term) {
    static constexpr std::array<std::pair<std::string_view, Operator>, 6> operators = {{
        {">=", Operator::greater_or_equal},
        {"<=", Operator::less_or_equal},
        {"!=", Operator::not_equal},
        {">", Operator::greater},
        {"<", Operator::less},
        {"=", Operator::equal},
    }};
    const auto type = term.explicit_tag ? KeyType::text : key_type(term.key);
    const bool compares = type != KeyType::text && type != KeyType::boolean;
    for (const auto& [word, op] : operators) {
      if (!text_.substr(at_).starts_with(word)) continue;
      if (!compares && op != Operator::equal && op != Operator::not_equal) return;
      at_ += word.size();
      term.op = op;
      return;
    }
  }

  // "[a, b]" followed by a space or the end. Anything else that starts with '[' is a plain value.
  bool parse_list(SearchTerm& term) {
    const auto from = at_;
    if (!take('[')) return false;
    std::vector<SearchValue> values;
    bool empty_value = false;
    for (;;) {
      if (!values.empty()) skip_spaces();
      SearchValue value;
      if (auto text = take_quoted()) {
        value = {*std::move(text), true};
      } else {
        value.text = unescape_quotes(take_list_item());
        if (value.text.empty() && (values.empty() || peek() == ',')) break;
        empty_value = empty_value || value.text.empty();
      }
      values.push_back(std::move(value));
      skip_spaces();
      if (take(',')) continue;
      if (!at_list_end()) break;
      ++at_;
      if (empty_value) fail(term.key + ": a list must not have empty values");
      term.list = true;
      term.values = std::move(values);
      return true;
    }
    at_ = from;
    return false;
  }

  bool at_list_end() const {
    return peek() == ']' && (at_ + 1 == text_.size() || is_space(text_[at_ + 1]) || text_[at_ + 1] == ')');
  }

  std::string_view take_list_item() {
    const auto from = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != '(' &&
           text_[at_] != ')' && !at_list_end()) {
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }

  bool parse_value(std::string_view key, SearchValue& value) {
    if (auto text = take_quoted()) {
      value = {*std::move(text), true};
      return true;
    }
    const auto from = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '(' && text_[at_] != ')') ++at_;
    const auto raw = text_.substr(from, at_ - from);
    if (raw.empty()) {
      fail("Empty string after '" + std::string(key) + ":'");
      return false;
    }
    if (has_bare_quote(raw)) {
      fail(std::string(key) + ": quotes must enclose the whole value or be escaped, at " + quoted(raw));
      return false;
    }
    value.text = unescape_quotes(raw);
    return true;
  }

  // name(arguments):value with a value that an aggregate can have; otherwise it is free text.
  std::optional<SearchTerm> parse_aggregate(std::size_t name_at) {
    const auto open = at_;
    const auto close = closing_parenthesis(text_, open);
    if (close == std::string_view::npos || close + 1 >= text_.size() || text_[close + 1] != ':') return std::nullopt;
    auto value = text_.substr(close + 2);
    value = value.substr(0, std::min(value.size(), value.find_first_of(" \t\n()")));
    while (!value.empty() && std::string_view("<>=!").find(value.front()) != std::string_view::npos) {
      value.remove_prefix(1);
    }
    const bool percentage = value.ends_with('%') && parse_number(value.substr(0, value.size() - 1)).has_value();
    if (percentage || parse_number(value) || parse_duration(value) || parse_date(value) ||
        parse_relative_date(value, Time{})) {
      fail("Aggregate filters (" + std::string(text_.substr(name_at, open - name_at)) +
           ") are not supported in issue searches.");
    }
    return std::nullopt;
  }

  void check(const SearchTerm& term) {
    if (term.explicit_tag) return;
    if (term.list && key_type(term.key) == KeyType::date) {
      return fail(term.key + ": a date cannot be a list");
    }
    for (const auto& value : term.values) {
      if (value.text.empty() && value.quoted) continue;
      if (auto error = check_value(term, value)) return fail(error->detail);
    }
  }

  void parse_free_text() {
    const auto from = at_;
    if (peek() == '"') {
      if (auto phrase = take_quoted()) {
        end_words();
        add_free_text(*std::move(phrase), true);
        return;
      }
    }
    while (at_ < text_.size() && !is_space(text_[at_])) {
      if (text_[at_] == ')') return fail("Unmatched ')' in the query; put text with parentheses in quotes.");
      if (text_[at_] == '(') {
        skip_group();
        if (error_) return;
      }
      ++at_;
    }
    const auto word = text_.substr(from, at_ - from);
    if (word == "AND" || word == "OR" || word == "and" || word == "or" || word == "And" || word == "Or") {
      return fail("Boolean statements containing \"OR\" or \"AND\" are not supported in this search");
    }
    if (!words_.empty()) words_ += ' ';
    words_ += word;
  }

  // Leaves at_ on the ')' of the group that opens here: text, unless there is something wrong within.
  void skip_group() {
    const auto close = closing_parenthesis(text_, at_);
    if (close == std::string_view::npos) {
      return fail("Unmatched '(' in the query; put text with parentheses in quotes.");
    }
    if (depth_ < deepest_parentheses) {
      const auto inside = Parser(text_.substr(at_ + 1, close - at_ - 1), depth_ + 1).parse();
      if (!inside) return fail(inside.error().detail);
    }
    at_ = close;
  }

  void end_words() {
    if (!words_.empty()) add_free_text(std::exchange(words_, {}), false);
  }
  void add_free_text(std::string text, bool is_quoted) {
    SearchTerm term;
    term.values.push_back({unescape_quotes(text), is_quoted});
    terms_.push_back(std::move(term));
  }

  std::string_view text_;
  int depth_;
  std::size_t at_ = 0;
  std::string words_;  // free text gathered so far
  std::vector<SearchTerm> terms_;
  std::optional<Error> error_;
};

}  // namespace

KeyType key_type(std::string_view key) {
  static constexpr std::array<std::string_view, 11> numbers = {
      "project_id", "project.id", "issue.id", "stack.colno", "stack.lineno", "stack.stack_level",
      "times_seen", "timesSeen", "users_seen", "device.battery_level", "device.screen_density"};
  static constexpr std::array<std::string_view, 13> dates = {
      "start", "end", "first_seen", "firstSeen", "last_seen", "lastSeen", "age", "date", "timestamp",
      "timestamp.to_hour", "timestamp.to_day", "event.timestamp", "error.received"};
  static constexpr std::array<std::string_view, 4> booleans = {"error.handled", "error.unhandled",
                                                               "error.main_thread", "stack.in_app"};
  static constexpr std::array<std::string_view, 2> versions = {"release.version", "release.build"};
  if (one_of(key, numbers)) return KeyType::number;
  if (one_of(key, dates)) return KeyType::date;
  if (one_of(key, booleans)) return KeyType::boolean;
  if (one_of(key, versions)) return KeyType::version;
  if (key == "transaction.duration" || key.starts_with("measurements.") || key.starts_with("spans.")) {
    return KeyType::duration;
  }
  return KeyType::text;
}

Result<std::vector<SearchTerm>> parse_search(std::string_view text) {
  if (text.size() > most_bytes) return malformed("The query is longer than 4096 bytes.");
  return Parser(text, 0).parse();
}

}  // namespace picket::query

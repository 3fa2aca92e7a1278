// The search language: text to tree, the same for issues, events, spans, logs, replays and sessions.
// It knows the grammar, not what is searched; condition.h makes conditions of the tree.
//
//   query     = spaces { term spaces }
//   term      = "AND" | "OR" | "(" spaces term spaces { term spaces } ")" | filter | free text
//   filter    = ["!"] key ":" [op] value | ["!"] key ":" "[" item { "," item } "]"
//   key       = name | '"' name '"' | ("tags" | "flags") "[" name ["," type] "]" | name "(" [argument { "," argument }] ")"
//   type      = "string" | "number" | "boolean" | "array"
//   value     = '"' anything, \" for a quote '"' | run of characters but space, tab, line break and parentheses
//   free text = '"' anything '"' | words up to the next filter, AND, OR or group; they may hold (text in parentheses)
//
// A value that the key's kind can hold gives a typed filter; else the filter is one of text, invalid
// where the key is no text. Every position is read at most once in each role: linear in the text.
#pragma once

#include "api/query/search_language.h"
#include "buffer/clock.h"
#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

enum class Operator : std::uint8_t { equal, not_equal, less, less_or_equal, greater, greater_or_equal };

enum class LiteralKind : std::uint8_t { text, number, date, relative_date, duration, size, percentage, boolean };

struct Literal {
  LiteralKind kind = LiteralKind::text;
  std::size_t at = 0;  // in the query, with quotes and unit
  std::size_t end = 0;
  std::string text;  // as it stands there, without quotes, sign of a relative date and unit
  bool quoted = false;
  std::string unit;
  char sign = '\0';  // of a relative date
  double number = 0;  // number; milliseconds; bytes; percent; 0 or 1 of a boolean
  std::int64_t ms = 0;  // of a date; of a relative one by Sentry's reckoning: sign and amount from now
  std::string date;  // the parts of a date as they stand there
  std::string time;
  std::string zone;
  std::string separator;  // before an item of a list
  bool there = true;      // false: an empty item
};

enum class KeyForm : std::uint8_t {
  simple, tag, string_tag, number_tag, boolean_tag, array_tag, flag, string_flag, number_flag, aggregate
};

struct KeyArgument {
  std::string separator;
  std::string text;  // with its quotes
  bool quoted = false;
  bool there = true;
};

struct SearchKey {
  KeyForm form = KeyForm::simple;
  std::size_t at = 0;
  std::size_t end = 0;
  std::string name;  // of an aggregate the function's
  bool quoted = false;
  std::vector<KeyArgument> arguments;
  std::string space_before;  // within the parentheses of an aggregate
  std::string space_after;
};

enum class FilterKind : std::uint8_t {
  text, text_in, numeric, numeric_in, date, specific_date, relative_date, duration, size, boolean,
  aggregate_duration, aggregate_size, aggregate_numeric, aggregate_percentage, aggregate_date,
  aggregate_relative_date, has, is
};

struct Invalid {
  InvalidKind kind = InvalidKind::invalid_key;
  std::string reason;
  std::vector<FilterKind> expected;
};

enum class NodeKind : std::uint8_t { spaces, filter, free_text, group, logic };

struct SearchNode {
  NodeKind kind = NodeKind::spaces;
  std::size_t at = 0;
  std::size_t end = 0;
  std::string text;  // spaces; free text; AND or OR
  bool quoted = false;
  bool negated = false;
  FilterKind filter = FilterKind::text;
  SearchKey key;
  std::optional<Operator> op;
  std::vector<Literal> values;  // one, or the items of a list
  std::optional<Invalid> invalid;
  std::vector<SearchNode> inner;  // of a group
};

struct SearchTree {
  std::vector<SearchNode> nodes;
  std::size_t steps = 0;  // how often something was tried anywhere
};

constexpr std::size_t most_query_bytes = 4096;
constexpr std::size_t most_query_terms = 200;
constexpr std::size_t deepest_query = 60;

// Fault::malformed with the words of a 400 for text that is no query, is longer than 4096 bytes, has
// more than 200 terms or nests more than 60 deep. Filters that are not valid are in the tree.
Result<SearchTree> parse_search(std::string_view text, const SearchLanguage& language, Time now);

// "words (column 7)": columns are characters and start at 1.
Error search_error(std::string_view text, std::size_t at, std::string_view words);

}  // namespace picket::query

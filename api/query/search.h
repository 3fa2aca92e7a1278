// The search language of issue and event lists: text to terms. It knows the grammar, not the issues.
//
//   query    = { space | term }
//   term     = filter | free text
//   filter   = ["!"] key ":" [op] value | ["!"] key ":" "[" value { "," value } "]"
//   key      = letters, digits, '_' '.' '-' | '"' the same and ':' '"' | "tags[" key "]"
//   value    = '"' anything, \" for a quote '"' | run of characters but space and parentheses
//
// What looks like a filter and is none (`release*:1`) is free text. Operators are recognised only
// for keys that compare (numbers, times, versions); elsewhere `<5` is text.
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

// What the values of a key are. A key that is not known is text: a tag.
enum class KeyType : std::uint8_t { text, number, duration, date, boolean, version };
KeyType key_type(std::string_view key);

enum class Operator : std::uint8_t { equal, not_equal, less, less_or_equal, greater, greater_or_equal };

struct SearchValue {
  std::string text;     // unescaped, except that "\*" stays to tell a star from a wildcard
  bool quoted = false;
};

enum class TermKind : std::uint8_t { free_text, filter, has, is };

struct SearchTerm {
  TermKind kind = TermKind::free_text;
  bool negated = false;
  std::string key;            // of a filter; of `has` the key asked for
  bool explicit_tag = false;  // tags[key]: never a field
  Operator op = Operator::equal;
  bool list = false;
  std::vector<SearchValue> values;  // one, unless `list`; none for `has`
};

// Fault::malformed with the words for a 400. Longer than 4 KiB, or more than 200 terms, is malformed
// too: no person types that, and it bounds what a query costs.
Result<std::vector<SearchTerm>> parse_search(std::string_view text);

}  // namespace picket::query

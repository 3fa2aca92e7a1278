// Sentry's globs: patterns over a whole text, of filters, sampling and grouping.
//
//   *        any number of characters          [a-z] [!a]  one character of a set, or not of it
//   ?        one character                     {a,b}       either; not nested
//   \x       the character x itself
//
// In a path, '*', '?' and sets stop at slashes; "**" does not, and "**/" is any number of folders, none
// included. Characters are UTF-8's; letter case is ASCII's.
//
// Matching takes at most pattern × text steps: what of the pattern has matched so far is kept as the
// set of places in the text where it may end, and no place is looked at twice.
// https://docs.sentry.io/concepts/data-management/filtering/
//
// THREADS  Immutable; from any thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::relay {

constexpr std::size_t longest_pattern = 1024;  // bytes
constexpr std::size_t most_alternatives = 64;  // after {a,b}{c,d} are multiplied out
constexpr std::size_t longest_matched = std::size_t{16} << 10;  // of a text; the rest is not looked at

enum class GlobKind : std::uint8_t {
  text,           // letter case matters
  caseless_text,
  path,  // caseless, and '\' in the text is '/'
};

// ASCII letters in lower case.
std::string lower_case(std::string_view text);
// The same, and '/' for '\'.
std::string path_key(std::string_view path);

class Glob {
 public:
  // Fault::malformed for what is not closed or runs backwards, Fault::too_large past the first two
  // limits.
  static Result<Glob> parse(std::string_view pattern, GlobKind kind);
  // For patterns that nobody checked: what is not closed, nested, without a comma ("{{closure}}") or
  // past the limits is meant as it is written.
  static Glob lenient(std::string_view pattern, GlobKind kind);

  bool matches(std::string_view text) const;
  // The same of text that has been through lower_case() for caseless text, path_key() for paths.
  bool matches_folded(std::string_view folded) const;

 private:
  enum class Op : std::uint8_t { literal, any_char, set, run, path, folders };
  struct Step {
    Op op = Op::literal;
    bool negated = false;
    std::string text;                                   // of a literal, folded
    std::vector<std::pair<char32_t, char32_t>> ranges;  // of a set
  };
  // Most patterns are matched without walking their steps.
  enum class Shape : std::uint8_t { exact, prefix, suffix, inner, general };
  struct Choice {  // one way through the braces
    std::vector<Step> steps;
    Shape shape = Shape::general;
    std::string text;  // the literal; of a general one the longest, without which nothing matches
  };
  class Expander;
  class Compiler;
  class Places;

  static Result<Glob> make(std::string_view pattern, GlobKind kind, bool strict);
  static void settle_shape(Choice& choice);
  bool fits(const Step& step, std::string_view text, std::size_t& at) const;
  bool walk(const Choice& choice, std::string_view text) const;
  bool matches(const Choice& choice, std::string_view text) const;

  GlobKind kind_ = GlobKind::text;
  std::vector<Choice> choices_;
};

// Any of several patterns over caseless text.
class GlobSet {
 public:
  // The error names the pattern.
  static Result<GlobSet> parse(const std::vector<std::string>& patterns);

  bool empty() const { return globs_.empty(); }
  bool matches(std::string_view text) const;

 private:
  std::vector<Glob> globs_;
};

}  // namespace picket::relay

// Sentry's globs: patterns over a whole text, ASCII case-insensitive.
//
//   *        any number of characters          [a-z] [!a]  one character of a set, or not of it
//   ?        one character                     {a,b}       either; not nested
//   \x       the character x itself
//
// Matching is linear in the text for a given pattern: a star never backtracks past a later one.
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

namespace picket::filter {

constexpr std::size_t longest_pattern = 1024;  // bytes
constexpr std::size_t most_alternatives = 64;  // after {a,b}{c,d} are multiplied out
constexpr std::size_t longest_matched = std::size_t{16} << 10;  // of a text; the rest is not looked at

// ASCII letters in lower case, at most `longest_matched` bytes.
std::string fold(std::string_view text);

class Glob {
 public:
  // Fault::malformed for an open bracket, Fault::too_large past the two limits.
  static Result<Glob> parse(std::string_view pattern);

  bool matches(std::string_view text) const { return matches_folded(fold(text)); }
  bool matches_folded(std::string_view folded) const;

 private:
  struct Atom {
    enum class Kind : std::uint8_t { literal, any, one_of, none_of };
    Kind kind = Kind::literal;
    std::string literal;                                // folded bytes
    std::vector<std::pair<char32_t, char32_t>> ranges;  // of a set
  };
  using Segment = std::vector<Atom>;  // what is between two stars
  using Alternative = std::vector<Segment>;  // n stars: n + 1 segments

  class Parser;
  static bool matches_at(const Segment& segment, std::string_view text, std::size_t& at);
  static bool find_after(const Segment& segment, std::string_view text, std::size_t& at);
  static bool ends_with(const Segment& segment, std::string_view text, std::size_t from);
  static bool matches(const Alternative& alternative, std::string_view text);

  std::vector<Alternative> alternatives_;
};

// Any of several patterns.
class GlobSet {
 public:
  // The error names the pattern.
  static Result<GlobSet> parse(const std::vector<std::string>& patterns);

  bool empty() const { return globs_.empty(); }
  bool matches(std::string_view text) const;

 private:
  std::vector<Glob> globs_;
};

}  // namespace picket::filter

// Patterns of grouping rules, compiled once: '*', '?', "[a-z]", "[!a]", "{a,b}", '\' before a
// character that is meant as such. In a pattern for paths letter case and the direction of slashes do
// not matter, '*' and '?' stop at slashes, and "**" does not.
//
// THREADS  Any; immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picket::grouping {

enum class GlobKind : std::uint8_t { text, caseless_text, path };

class Glob {
 public:
  Glob(std::string_view pattern, GlobKind kind);

  // For paths the text must have been through path_key(); for caseless text, through lower_case().
  bool matches(std::string_view text) const;

 private:
  enum class Op : std::uint8_t { literal, any_char, any_run, any_path, any_folders, set };
  struct Step {
    Op op = Op::literal;
    bool negated = false;
    std::string text;  // of a literal; of a set: pairs of first and last
  };
  // How most patterns can be matched without walking the steps.
  enum class Shape : std::uint8_t { exact, prefix, suffix, inner, general };
  struct Choice {  // one way through the braces
    std::vector<Step> steps;
    Shape shape = Shape::general;
    std::string text;
  };

  static std::vector<std::string> without_braces(std::string_view pattern);
  Choice compile(std::string_view pattern) const;
  void settle_shape(Choice& choice) const;
  bool walk(const Choice& choice, std::string_view text) const;
  bool matches(const Choice& choice, std::string_view text) const;

  GlobKind kind_;
  std::vector<Choice> choices_;
};

std::string lower_case(std::string_view text);
// Lower case, '/' for '\'.
std::string path_key(std::string_view path);

}  // namespace picket::grouping

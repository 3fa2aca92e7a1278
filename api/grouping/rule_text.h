// Reading the text of grouping rules, of either kind: a line a rule, '#' before a comment, names and
// arguments, quoted or not. Remembers where it is, so that what is wrong can be pointed at.
#pragma once

#include "buffer/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace picket::grouping {

class RuleText {
 public:
  // `line` counts from 1, for messages.
  RuleText(std::string_view text, std::size_t line) : text_(text), line_(line) {}

  void skip_space();
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char expected);
  bool take(std::string_view expected);
  std::size_t position() const { return at_; }
  void go_to(std::size_t position) { at_ = position; }
  std::string_view since(std::size_t position) const { return text_.substr(position, at_ - position); }

  // Letters, digits and "._-"; empty when there is none.
  std::string_view word();
  // "quoted \"text\"", or what goes up to the next space. A backslash that is not before a quote stays: it
  // means something to patterns.
  Result<std::string> argument();
  // The same, ended by any of `ends` too when it is not quoted.
  Result<std::string> argument(std::string_view ends);

  // "line 3, column 7: <what>"
  Error wrong(std::string_view what) const;

 private:
  Result<std::string> quoted();

  std::string_view text_;
  std::size_t line_;
  std::size_t at_ = 0;
};

// Calls `each(text, line)` with the lines that hold a rule; stops at the first error. Fault::too_large
// for more than `most_bytes`.
template <class Each>
Result<void> for_each_rule(std::string_view text, std::size_t most_bytes, const Each& each) {
  if (text.size() > most_bytes)
    return Error{Fault::too_large, "rules of more than " + std::to_string(most_bytes) + " bytes"};
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] == '#') continue;
    if (auto read = each(line, number); !read) return read.error();
  }
  return {};
}

}  // namespace picket::grouping

// A regular expression of an advanced rule, matched in linear time by RE2.
//
// The syntax is RE2's, which is that of Rust's regex crate but for: no (?x), and \b \d \w \s know
// ASCII only.
//
// THREADS  Immutable; any number of threads may match with one.
#pragma once

#include "buffer/result.h"
#include "relay/scrub/detectors.h"

#include <memory>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace picket::scrub {

class Pattern {
 public:
  enum class Text : std::uint8_t { utf8, bytes };  // bytes: any, and `.` matches line ends

  // Malformed: what RE2 says about it.
  static Result<Pattern> compile(std::string_view expression, bool ignore_case, Text text);

  bool matches(std::string_view text) const;

  // The spans of the numbered groups (0: the whole match) of all matches, in order, not
  // overlapping, none empty. Where an expression would cost more than linear time over all of its
  // matches, what is left of the text becomes one span.
  std::vector<Span> find_all(std::string_view text, const std::vector<int>& groups) const;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> expression)
      : expression_(std::move(expression)) {}

  std::shared_ptr<const re2::RE2> expression_;
};

}  // namespace picket::scrub

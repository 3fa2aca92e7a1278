// A value of the search language against text: equality, or `*` wildcards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

std::string lower_ascii(std::string_view text);
// The longest part of a text that is the same in every encoding that rows use.
std::string plain_run(std::string_view text);

// Matches in time linear in pattern and text (greedy, no backtracking over more than one star), so
// that no query can be made expensive by its stars.
class Pattern {
 public:
  // `*` is any run of characters, `\*` a star. Wildcards ignore ASCII case; plain values are compared
  // as they are unless `ignore_case`.
  Pattern(std::string_view value, bool ignore_case);

  bool matches(std::string_view text) const;
  // As matches() of text that is lower case already: nothing is copied.
  // REQUIRES: ignore_case
  bool matches_lower(std::string_view text) const;
  // The same with a star on both sides.
  bool found_in_lower(std::string_view text) const { return pieces_match(text, false); }

  bool has_wildcard() const { return pieces_.size() > 1; }
  const std::string& plain() const { return pieces_.front(); }  // REQUIRES: !has_wildcard()
  const std::vector<std::string>& pieces() const { return pieces_; }  // what stands between the stars

 private:
  bool pieces_match(std::string_view text, bool anchored) const;
  std::vector<std::string> pieces_;  // between the stars
  bool ignore_case_;
};

}  // namespace picket::query

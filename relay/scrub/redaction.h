// A text under redaction: pieces that are still as they were sent, and pieces that a rule put in
// the place of something. Rules see only the former, so that nothing is redacted twice.
#pragma once

#include "relay/scrub/rule.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::scrub {

// What `_meta` says about a change: ["<rule>", "<type>", start, end], positions in bytes of the
// text as it is now; without positions when the value is gone.
// Types: x removed, s substituted, m masked, p pseudonymized.
struct Remark {
  std::string rule;
  char type = 'x';
  std::optional<Span> range;
};

enum class Effect : std::uint8_t { none, changed, removed };  // removed: the value shall be null

class Redacted {
 public:
  // Remarks that cannot be (out of order, past the end, within a character) are not heeded.
  Redacted(std::string_view text, const std::vector<Remark>& earlier);
  // Nothing, where a rule removed a text.
  explicit Redacted(const Remark& removal);

  // Applies one rule to a text under this key ("" for none).
  Effect apply(const Rule& rule, std::string_view key);

  std::string text() const;
  std::vector<Remark> remarks() const;

 private:
  struct Piece {
    std::string text;
    std::string rule;  // of a piece that was put there
    char type = '\0';  // '\0': as it was sent
    bool sent() const { return type == '\0'; }
  };

  Effect replace_whole(const Rule& rule);
  template <class Find>
  Effect replace_spans(const Rule& rule, Find find);
  static Piece replacement(const Rule& rule, std::string_view text);

  std::vector<Piece> pieces_;
};

// Whether a value that is no text (a number, a list, an object) goes because of its key or place.
bool removes_value(const Rule& rule, std::string_view key);

std::size_t characters_of(std::string_view text);

// The type of the remark, and what stands for `text`.
char remark_type(const Redaction& redaction);
std::string redact(const Redaction& redaction, std::string_view text);

}  // namespace picket::scrub

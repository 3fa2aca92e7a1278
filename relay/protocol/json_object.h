// One JSON object read member by member from its text: no tree, no recursion, no allocation.
//
// The whole text is checked against RFC 8259 as it is passed over (UTF-8 included), nesting to
// json_max_depth. Values are handed out as the bytes they were written with.
//
// THREADS  A reader belongs to one thread.
#pragma once

#include "buffer/result.h"

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

constexpr std::size_t json_max_depth = 128;

// Views into the text that was read.
struct JsonMember {
  std::string_view key;    // between the quotes, escapes kept
  std::string_view value;  // from its first to its last byte

  bool named(std::string_view name) const;
  bool is_string() const { return value.front() == '"'; }
  bool is_object() const { return value.front() == '{'; }
  bool is_null() const { return value == "null"; }
  // REQUIRES: is_string(). Between the quotes, escapes kept.
  std::string_view raw_text() const { return value.substr(1, value.size() - 2); }
};

class JsonObjectReader {
 public:
  // REQUIRES: `text` outlives the reader and its members.
  explicit JsonObjectReader(std::string_view text) : text_(text) {}

  // The next member; nothing once the object, and the text with it, has ended, and at the first
  // violation of the grammar: the two are told apart by failure().
  std::optional<JsonMember> next();

  // What is wrong, and at which byte of the text.
  struct Failure {
    const char* reason;
    std::size_t at;
  };
  const std::optional<Failure>& failure() const { return failure_; }

  // The entries of a text that is one JSON array, as they were written; checked as objects are.
  // Fault::malformed, and Fault::too_large past `most` entries.
  static Result<std::vector<std::string_view>> split_array(std::string_view text, std::size_t most);

 private:
  enum class Place : std::uint8_t { before, inside, done };

  bool open();
  bool close();
  bool skip_value();
  bool skip_key();
  bool skip_scalar();
  bool skip_string();
  bool skip_number();
  bool skip_digits();
  bool skip_word(std::string_view word);
  bool enter(char bracket);
  bool after_value(bool& ended);
  void skip_space();
  bool fail(const char* reason);
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string_view text_;
  std::size_t at_ = 0;
  Place place_ = Place::before;
  std::bitset<json_max_depth> objects_;  // by depth: an object (else an array)
  std::size_t depth_ = 0;
  std::optional<Failure> failure_;
};

// The text behind a string's raw content; half a surrogate pair becomes U+FFFD.
std::string unescape_json(std::string_view raw);
// The text as a JSON string, quotes included.
std::string render_json_string(std::string_view text);
// Decimal digits only: no sign, fraction or exponent; nothing past 2^64-1.
std::optional<std::uint64_t> parse_whole_number(std::string_view text);

}  // namespace picket::relay

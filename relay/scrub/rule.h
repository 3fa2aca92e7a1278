// A rule finds something in a value and says what becomes of it; a rule set is the rules of one
// Scrubber with the selectors they are applied to, and a filter that sees in some nanoseconds that
// a value can match none of them.
#pragma once

#include "relay/scrub/detectors.h"
#include "relay/scrub/pattern.h"
#include "relay/scrub/selector.h"
#include "relay/scrub/word_set.h"

#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace picket::scrub {

struct Redaction {
  enum class Method : std::uint8_t {
    standard,  // what the rule does on its own: remove; a surrounding rule's redaction replaces it
    remove,
    replace,
    mask,
    hash,  // HMAC-SHA1, in hexadecimal
  };
  Method method = Method::standard;
  std::string text;      // of replace
  std::string hash_key;  // of hash

  bool removes() const { return method == Method::standard || method == Method::remove; }
};

// What a rule looks for, as bits, so that a value can be asked for many at once.
using Signs = std::uint32_t;
constexpr Signs sign_of(Detector detector) {
  return Signs{1} << static_cast<unsigned>(detector);
}
constexpr Signs sign_password = Signs{1} << 16U;   // the words of keys and values that hold secrets
constexpr Signs sign_token = Signs{1} << 17U;      // "token" in a key
constexpr Signs sign_sensitive = Signs{1} << 18U;  // a sensitive field of the settings
constexpr Signs sign_anything = Signs{1} << 19U;   // no filter can say

struct Rule {
  enum class Kind : std::uint8_t {
    anything,
    detector,
    pattern,      // in values
    password,     // in keys and values
    key_words,    // likewise, of `words`
    key_pattern,  // likewise, of `pattern`
  };
  std::string id;
  std::string origin;  // the id in remarks: the rule's or that of the rule that hides it
  Kind kind = Kind::anything;
  Detector detector = Detector::email;
  std::shared_ptr<const WordSet> words;
  std::shared_ptr<const Pattern> pattern;        // for text
  std::shared_ptr<const Pattern> bytes_pattern;  // for attachments
  std::vector<int> groups = {0};
  Redaction redaction;
  Signs signs = 0;  // set by the rule set

  Signs find_signs() const;
};

struct Application {
  Selector selector;
  std::vector<Rule> rules;
  Signs signs = 0;        // of all rules
  bool keyed = false;     // matches only some keys: set by the rule set
  bool advanced = false;  // of the advanced configuration: it sees attributes as objects
};

// Words that make a key, or a value, one that holds a password.
bool is_password_key(std::string_view key);  // without "token"
bool has_token(std::string_view key);
bool has_password_word(std::string_view text);  // "token" only where it is assigned

class RuleSet {
 public:
  RuleSet() = default;
  // The words of the rule of sensitive fields, when there is one.
  RuleSet(std::vector<Application> applications, std::shared_ptr<const WordSet> sensitive);

  const std::vector<Application>& applications() const { return applications_; }
  bool empty() const { return applications_.empty(); }

  // False: no rule matches a value under this key, whatever selectors say. `signs` is what the key
  // and the text show.
  bool may_match(Pii pii, std::string_view key, Signs signs) const {
    return (signs & (pii == Pii::yes ? unkeyed_ : unkeyed_maybe_)) != 0 || is_keyed(key);
  }
  // False: nothing that may be touched like this is matched, but for what is keyed.
  bool touches(Pii pii) const { return (pii == Pii::yes ? wanted_ : unkeyed_maybe_) != 0; }
  // Whether applications that match only some keys match this one.
  bool is_keyed(std::string_view key) const {
    return slots_[slot_of(key)] && keys_.contains(folded(key));
  }
  Signs signs_of_key(std::string_view key) const;
  Signs signs_of_text(std::string_view text) const;

 private:
  // Of the length and three bytes; letters of both cases are the same in five bits.
  static constexpr std::size_t key_slots = 4096;
  static std::size_t slot_of(std::string_view key) {
    if (key.empty()) return 0;
    const auto part = [&key](std::size_t at) -> std::size_t {
      return static_cast<unsigned char>(*(key.data() + at)) & 31U;
    };
    return (key.size() * 61 + part(0) * 32 + part(key.size() - 1) + part(key.size() / 2) * 1021) %
           key_slots;
  }
  static std::string folded(std::string_view key);

  std::vector<Application> applications_;
  std::shared_ptr<const WordSet> sensitive_;
  std::vector<Detector> sought_;   // in texts by their shape
  std::size_t least_digits_ = 0;   // without '@' and with fewer, none of them finds anything
  Signs wanted_ = 0;         // of all applications
  Signs unkeyed_ = 0;        // of applications that may match under any key
  Signs unkeyed_maybe_ = 0;  // of those of them that match what is touched only when named
  std::unordered_set<std::string> keys_;  // in lower case: of the other applications
  std::bitset<key_slots> slots_;
};

}  // namespace picket::scrub

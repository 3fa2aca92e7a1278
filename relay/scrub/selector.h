// Selectors say which values of an item a rule applies to: `extra.**`, `$user.email`,
// `$string && !$frame.abs_path`, `contexts.'my key'.*`.
//
//   or    := and ( ('||' | '|') and )*
//   and   := not ( ('&&' | '&') not )*
//   not   := ('!' | '~')? ( '(' or ')' | path )
//   path  := step ( '.' step )*
//   step  := '$' type | '**' | '*' | index | key | '\'' quoted key '\''      ('' is a quote in it)
//   key   := [A-Za-z_][A-Za-z0-9_-]*          blanks may stand between tokens
//
// A path is compared from a value towards the root and need not reach it. `**` stands for one or
// more steps and may occur once in a path; `*` alone is no path. Keys compare without case.
// https://docs.sentry.io/security-legal-pii/scrubbing/advanced-datascrubbing/#sources
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picket::scrub {

enum class ValueType : std::uint8_t {
  string,
  binary,
  number,
  boolean,
  datetime,
  array,
  object,  // the basic types end here
  event,
  attachments,
  replay,
  exception,
  stacktrace,
  frame,
  request,
  user,
  logentry,
  message,
  thread,
  breadcrumb,
  log,
  trace_metric,
  span,
  sdk,
  minidump,
  heap_memory,
  stack_memory,
};

// A value has several types: a message is also a string.
class Types {
 public:
  constexpr Types() = default;
  constexpr Types(ValueType type)
      : bits_(std::uint32_t{1} << static_cast<unsigned>(type)) {}  // NOLINT
  constexpr bool has(ValueType type) const { return (bits_ & Types(type).bits_) != 0; }
  constexpr Types operator|(Types other) const {
    Types both;
    both.bits_ = bits_ | other.bits_;
    return both;
  }

 private:
  std::uint32_t bits_ = 0;
};

// Whether a value may be touched.
enum class Pii : std::uint8_t {
  no,     // never
  maybe,  // by selectors that name it, not by those of basic types or `**`
  yes,
};

// One step on the way from an item's root to a value; the value itself is the last one. The root
// has no key.
struct Place {
  const Place* parent = nullptr;
  std::string_view key;
  std::optional<std::uint32_t> index;  // in an array: instead of a key
  Types types;
  Pii pii = Pii::no;
  std::uint32_t depth = 0;  // of the root: 0
};

std::optional<ValueType> parse_value_type(std::string_view name);

class Selector {
 public:
  static Result<Selector> parse(std::string_view text);
  static Selector of_key(std::string_view key);
  static Selector all_of(std::vector<Selector> parts);
  static Selector any_of(std::vector<Selector> parts);
  static Selector none_of(Selector part);

  bool matches(const Place& place) const;

  // False: matches no place that may be touched only when it is named.
  bool may_match_maybe() const;

  // The keys, in lower case, that a value must have one of to be matched; nothing when there is
  // no such list.
  std::optional<std::vector<std::string>> last_keys() const;

 private:
  struct Any {};   // *
  struct Deep {};  // **
  using Step = std::variant<ValueType, Any, Deep, std::uint32_t, std::string>;
  enum class Kind : std::uint8_t { path, all, any, none };
  class Parser;

  static bool step_matches(const Step& step, bool first, Pii pii, const Place& place);
  bool path_matches(const Place& place) const;

  Kind kind_ = Kind::path;
  std::vector<Step> steps_;
  std::vector<Selector> parts_;
};

// ASCII letters in lower case; the rest as it is.
constexpr char fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool same_folded(std::string_view a, std::string_view b);

}  // namespace picket::scrub

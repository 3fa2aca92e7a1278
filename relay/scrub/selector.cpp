#include "relay/scrub/selector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace picket::scrub {
namespace {

constexpr std::size_t max_selector_bytes = 16 * 1024;
constexpr std::size_t max_nesting = 32;

struct Name {
  std::string_view text;
  ValueType type;
};
constexpr auto names = std::to_array<Name>({
    {"string", ValueType::string},
    {"binary", ValueType::binary},
    {"number", ValueType::number},
    {"boolean", ValueType::boolean},
    {"bool", ValueType::boolean},
    {"datetime", ValueType::datetime},
    {"array", ValueType::array},
    {"list", ValueType::array},
    {"object", ValueType::object},
    {"event", ValueType::event},
    {"attachments", ValueType::attachments},
    {"replay", ValueType::replay},
    {"error", ValueType::exception},
    {"exception", ValueType::exception},
    {"stack", ValueType::stacktrace},
    {"stacktrace", ValueType::stacktrace},
    {"frame", ValueType::frame},
    {"http", ValueType::request},
    {"request", ValueType::request},
    {"user", ValueType::user},
    {"logentry", ValueType::logentry},
    {"message", ValueType::message},
    {"thread", ValueType::thread},
    {"breadcrumb", ValueType::breadcrumb},
    {"log", ValueType::log},
    {"trace_metric", ValueType::trace_metric},
    {"span", ValueType::span},
    {"sdk", ValueType::sdk},
    {"minidump", ValueType::minidump},
    {"heap_memory", ValueType::heap_memory},
    {"stack_memory", ValueType::stack_memory},
});

bool is_basic(ValueType type) {
  return type <= ValueType::object;
}

bool is_letter(char c) {
  return fold(c) >= 'a' && fold(c) <= 'z';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Error malformed(std::string_view text, std::string_view why) {
  return Error{Fault::malformed,
               "selector \"" + std::string(text.substr(0, 200)) + "\": " + std::string(why)};
}

}  // namespace

bool same_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return fold(x) == fold(y); });
}

std::optional<ValueType> parse_value_type(std::string_view name) {
  for (const auto& known : names) {
    if (known.text == name) return known.type;
  }
  return std::nullopt;
}

// Recursive descent; `failure_` holds the first thing that is wrong.
class Selector::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Selector> parse() {
    if (text_.size() > max_selector_bytes) return malformed(text_, "too long");
    auto selector = parse_any(0);
    skip_blanks();
    if (failure_.empty() && at_ != text_.size()) failure_ = "unexpected character";
    if (!failure_.empty()) return malformed(text_, failure_ + " at byte " + std::to_string(at_));
    return selector;
  }

 private:
  Selector parse_any(std::size_t nesting) {
    std::vector<Selector> parts;
    do {
      parts.push_back(parse_all(nesting));
    } while (failure_.empty() && take_operator('|'));
    return parts.size() == 1 ? std::move(parts.front()) : any_of(std::move(parts));
  }

  Selector parse_all(std::size_t nesting) {
    std::vector<Selector> parts;
    do {
      parts.push_back(parse_not(nesting));
    } while (failure_.empty() && take_operator('&'));
    return parts.size() == 1 ? std::move(parts.front()) : all_of(std::move(parts));
  }

  Selector parse_not(std::size_t nesting) {
    if (take('!') || take('~')) return none_of(parse_group(nesting));
    return parse_group(nesting);
  }

  Selector parse_group(std::size_t nesting) {
    if (!take('(')) return parse_path();
    if (nesting == max_nesting) {
      failure_ = "nested too deeply";
      return {};
    }
    auto selector = parse_any(nesting + 1);
    if (failure_.empty() && !take(')')) failure_ = "expected ')'";
    return selector;
  }

  Selector parse_path() {
    Selector path;
    do {
      path.steps_.push_back(parse_step());
      if (!failure_.empty()) return path;
    } while (take('.'));
    const auto deep = std::count_if(path.steps_.begin(), path.steps_.end(), [](const Step& step) {
      return std::holds_alternative<Deep>(step);
    });
    if (deep > 1) failure_ = "deep wildcard used more than once";
    if (path.steps_.size() == 1 && std::holds_alternative<Any>(path.steps_.front()))
      failure_ = "wildcard must be part of a path";
    return path;
  }

  Step parse_step() {
    skip_blanks();
    const char c = peek();
    if (c == '$') return parse_type();
    if (c == '\'') return parse_quoted();
    if (c == '*') {
      ++at_;
      if (peek() != '*') return Any{};
      ++at_;
      return Deep{};
    }
    if (is_digit(c)) {
      std::uint32_t index = 0;
      const auto digits = take_while(is_digit);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), index);
      if (error != std::errc()) failure_ = "invalid index";
      return index;
    }
    if (!is_letter(c) && c != '_') {
      failure_ = at_ == text_.size() ? "unexpected end" : "expected a path";
      return Any{};
    }
    return std::string(
        take_while([](char k) { return is_letter(k) || is_digit(k) || k == '_' || k == '-'; }));
  }

  Step parse_type() {
    ++at_;
    const auto name = take_while([](char k) { return (k >= 'a' && k <= 'z') || k == '_'; });
    const auto type = parse_value_type(name);
    if (!type) {
      failure_ = "unknown type $" + std::string(name);
      return Any{};
    }
    return *type;
  }

  Step parse_quoted() {
    ++at_;
    std::string key;
    while (at_ < text_.size()) {
      if (text_[at_] == '\'') {
        ++at_;
        if (peek() != '\'') {
          if (key.empty()) failure_ = "empty key";
          return key;
        }
      }
      key += text_[at_++];
    }
    failure_ = "unterminated quote";
    return key;
  }

  template <class Accepts>
  std::string_view take_while(Accepts accepts) {
    const auto start = at_;
    while (at_ < text_.size() && accepts(text_[at_]))
      ++at_;
    return text_.substr(start, at_ - start);
  }

  bool take(char c) {
    skip_blanks();
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  // Once or twice the character.
  bool take_operator(char c) {
    if (!take(c)) return false;
    if (peek() == c) ++at_;
    return true;
  }

  void skip_blanks() {
    while (peek() == ' ')
      ++at_;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string failure_;
};

Result<Selector> Selector::parse(std::string_view text) {
  return Parser(text).parse();
}

Selector Selector::of_key(std::string_view key) {
  Selector selector;
  selector.steps_.emplace_back(std::string(key));
  return selector;
}

Selector Selector::all_of(std::vector<Selector> parts) {
  Selector selector;
  selector.kind_ = Kind::all;
  selector.parts_ = std::move(parts);
  return selector;
}

Selector Selector::any_of(std::vector<Selector> parts) {
  Selector selector;
  selector.kind_ = Kind::any;
  selector.parts_ = std::move(parts);
  return selector;
}

Selector Selector::none_of(Selector part) {
  Selector selector;
  selector.kind_ = Kind::none;
  selector.parts_.push_back(std::move(part));
  return selector;
}

bool Selector::matches(const Place& place) const {
  if (place.pii == Pii::no) return false;
  const auto part_matches = [&place](const Selector& part) { return part.matches(place); };
  switch (kind_) {
    case Kind::path: return path_matches(place);
    case Kind::all: return std::all_of(parts_.begin(), parts_.end(), part_matches);
    case Kind::any: return std::any_of(parts_.begin(), parts_.end(), part_matches);
    case Kind::none: return !parts_.front().matches(place);
  }
  std::abort();
}

bool Selector::step_matches(const Step& step, bool first, Pii pii, const Place& place) {
  if (const auto* type = std::get_if<ValueType>(&step))
    return place.types.has(*type) && (pii == Pii::yes || (first && !is_basic(*type)));
  if (const auto* index = std::get_if<std::uint32_t>(&step)) return place.index == *index;
  if (const auto* key = std::get_if<std::string>(&step))
    return !place.index && place.parent != nullptr && same_folded(*key, place.key);
  return std::holds_alternative<Any>(step) || pii == Pii::yes;
}

// From the value towards the root. What stands before a `**` may match any run of places further
// up.
bool Selector::path_matches(const Place& place) const {
  const Place* here = &place;
  std::size_t left = steps_.size();
  while (left > 0) {
    if (here == nullptr) return false;
    const auto& step = steps_[left - 1];
    if (!step_matches(step, left == 1, place.pii, *here)) return false;
    here = here->parent;
    --left;
    if (!std::holds_alternative<Deep>(step)) continue;
    if (left == 0) return true;
    for (; here != nullptr; here = here->parent) {
      const Place* above = here;
      std::size_t rest = left;
      while (rest > 0 && above != nullptr &&
             step_matches(steps_[rest - 1], rest == 1, place.pii, *above)) {
        above = above->parent;
        --rest;
      }
      if (rest == 0) return true;
    }
    return false;
  }
  return true;
}

bool Selector::may_match_maybe() const {
  const auto part_may = [](const Selector& part) { return part.may_match_maybe(); };
  switch (kind_) {
    case Kind::path:
      return std::all_of(steps_.begin(), steps_.end(), [this](const Step& step) {
        const auto* type = std::get_if<ValueType>(&step);
        if (type != nullptr) return &step == &steps_.front() && !is_basic(*type);
        return !std::holds_alternative<Deep>(step);
      });
    case Kind::all: return std::all_of(parts_.begin(), parts_.end(), part_may);
    case Kind::any: return std::any_of(parts_.begin(), parts_.end(), part_may);
    case Kind::none: return true;
  }
  std::abort();
}

std::optional<std::vector<std::string>> Selector::last_keys() const {
  std::vector<std::string> keys;
  switch (kind_) {
    case Kind::path: {
      const auto* key = std::get_if<std::string>(&steps_.back());
      if (key == nullptr) return std::nullopt;
      std::string folded(*key);
      std::transform(folded.begin(), folded.end(), folded.begin(), fold);
      keys.push_back(std::move(folded));
      return keys;
    }
    case Kind::any:
      for (const auto& part : parts_) {
        auto some = part.last_keys();
        if (!some) return std::nullopt;
        keys.insert(keys.end(), some->begin(), some->end());
      }
      return keys;
    case Kind::all:
      for (const auto& part : parts_) {
        if (auto some = part.last_keys()) return some;
      }
      return std::nullopt;
    case Kind::none: return std::nullopt;
  }
  std::abort();
}

}  // namespace picket::scrub

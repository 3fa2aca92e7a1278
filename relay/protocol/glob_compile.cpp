// Globs as they are written become steps.
#include "relay/protocol/glob.h"
#include "relay/protocol/utf8.h"

#include <optional>
#include <utility>

namespace picket::relay {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Error malformed(std::string_view why) {
  return Error{Fault::malformed, std::string(why)};
}

// Behind the set that begins at `at`; nothing when it is not closed. A closing bracket that comes
// first is meant as a character.
std::optional<std::size_t> end_of_set(std::string_view pattern, std::size_t at) {
  ++at;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return at + 1;
    at += pattern[at] == '\\' && at + 1 < pattern.size() ? 2 : 1;
  }
  return std::nullopt;
}

// Behind what begins at `at`: an escaped character, a set, or one byte.
std::size_t end_of_piece(std::string_view pattern, std::size_t at) {
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return at + 2;
  const auto end = pattern[at] == '[' ? end_of_set(pattern, at) : std::nullopt;
  return end.value_or(at + 1);
}

}  // namespace

// A pattern without its braces: every way through them, as a pattern without any.
class Glob::Expander {
 public:
  Expander(std::string_view pattern, bool strict) : pattern_(pattern), strict_(strict) {}

  Result<std::vector<std::string>> run() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] != '{') {
        const auto end = end_of_piece(pattern_, at_);
        append(pattern_.substr(at_, end - at_));
        at_ = end;
        continue;
      }
      auto choices = read_choices();
      if (!choices && strict_) return choices.error();
      if (!choices || (!strict_ && choices->size() < 2)) {
        append("\\{");
        ++at_;
        continue;
      }
      if (ways_.size() * choices->size() > most_alternatives) {
        if (strict_) return Error{Fault::too_large, "too many alternatives in one pattern"};
        return std::vector<std::string>{std::string(pattern_)};
      }
      multiply(*choices);
      at_ = end_;
    }
    return std::move(ways_);
  }

 private:
  void append(std::string_view text) {
    for (auto& way : ways_) way += text;
  }
  void multiply(const std::vector<std::string_view>& choices) {
    std::vector<std::string> longer;
    for (const auto& way : ways_) {
      for (const auto choice : choices) longer.push_back(way + std::string(choice));
    }
    ways_ = std::move(longer);
  }

  // Sets end_ behind the brace. REQUIRES: at_ is at an opening one.
  Result<std::vector<std::string_view>> read_choices() {
    std::vector<std::string_view> choices;
    auto begin = at_ + 1;
    for (auto at = begin; at < pattern_.size();) {
      const char c = pattern_[at];
      if (c == '{') return malformed("braces within braces");
      if (c == ',' || c == '}') {
        choices.push_back(pattern_.substr(begin, at - begin));
        begin = at + 1;
        end_ = begin;
        if (c == '}') return choices;
      }
      at = end_of_piece(pattern_, at);
    }
    return malformed("a brace is not closed");
  }

  const std::string_view pattern_;
  const bool strict_;
  std::vector<std::string> ways_ = {""};
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

// One way through the braces becomes steps.
class Glob::Compiler {
 public:
  Compiler(std::string_view pattern, GlobKind kind, bool strict) : pattern_(pattern), kind_(kind), strict_(strict) {}

  Result<Choice> run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '*') {
        stars();
      } else if (c == '?') {
        ++at_;
        choice_.steps.push_back({Op::any_char, false, {}, {}});
      } else if (c == '[') {
        if (auto read = set(); !read) return read.error();
      } else if (c == '\\' && at_ + 1 < pattern_.size()) {
        literal(pattern_[at_ + 1]);
        at_ += 2;
      } else {
        literal(kind_ == GlobKind::path && c == '\\' ? '/' : c);
        ++at_;
      }
    }
    return std::move(choice_);
  }

 private:
  void literal(char c) {
    auto& steps = choice_.steps;
    if (steps.empty() || steps.back().op != Op::literal) steps.emplace_back();
    steps.back().text += kind_ == GlobKind::text ? c : lower(c);
  }

  void stars() {
    const auto begin = at_;
    while (at_ < pattern_.size() && pattern_[at_] == '*') ++at_;
    auto op = Op::path;
    if (kind_ == GlobKind::path) {
      const bool doubled = at_ > begin + 1;
      const bool folders = doubled && (begin == 0 || pattern_[begin - 1] == '/') && at_ < pattern_.size() && pattern_[at_] == '/';
      if (folders) ++at_;
      op = folders ? Op::folders : doubled ? Op::path : Op::run;
    }
    choice_.steps.push_back({op, false, {}, {}});
  }

  Result<void> set() {
    const auto end = end_of_set(pattern_, at_);
    if (!end) {
      if (strict_) return malformed("a bracket is not closed");
      literal(pattern_[at_++]);
      return {};
    }
    Step step{Op::set, false, {}, {}};
    ++at_;
    if (pattern_[at_] == '!' || pattern_[at_] == '^') {
      step.negated = true;
      ++at_;
    }
    const auto last = *end - 1;  // the closing bracket
    while (at_ < last) {
      const auto from = set_point();
      auto to = from;
      if (at_ + 1 < last && pattern_[at_] == '-') {
        ++at_;
        to = set_point();
      }
      if (to < from && strict_) return malformed("a range runs backwards");
      step.ranges.emplace_back(from, to);
    }
    at_ = *end;
    choice_.steps.push_back(std::move(step));
    return {};
  }
  char32_t set_point() {
    if (pattern_[at_] == '\\' && at_ + 1 < pattern_.size()) ++at_;
    return take_point(pattern_, at_);
  }

  const std::string_view pattern_;
  const GlobKind kind_;
  const bool strict_;
  Choice choice_;
  std::size_t at_ = 0;
};

Result<Glob> Glob::make(std::string_view pattern, GlobKind kind, bool strict) {
  if (strict && pattern.size() > longest_pattern)
    return Error{Fault::too_large, "a pattern is longer than " + std::to_string(longest_pattern) + " bytes"};
  const auto ways = Expander(pattern, strict).run();
  if (!ways) return ways.error();
  Glob glob;
  glob.kind_ = kind;
  for (const auto& way : *ways) {
    auto choice = Compiler(way, kind, strict).run();
    if (!choice) return choice.error();
    settle_shape(*choice);
    glob.choices_.push_back(*std::move(choice));
  }
  return glob;
}

Result<Glob> Glob::parse(std::string_view pattern, GlobKind kind) {
  return make(pattern, kind, true);
}

Glob Glob::lenient(std::string_view pattern, GlobKind kind) {
  return *make(pattern, kind, false);
}

void Glob::settle_shape(Choice& choice) {
  const auto& steps = choice.steps;
  const auto is = [&](std::size_t index, Op op) { return index < steps.size() && steps[index].op == op; };
  const auto take = [&](Shape shape, std::size_t literal) {
    choice.shape = shape;
    choice.text = steps[literal].text;
  };
  if (steps.empty()) {
    choice.shape = Shape::exact;
  } else if (steps.size() == 1 && is(0, Op::literal)) {
    take(Shape::exact, 0);
  } else if (steps.size() == 2 && is(0, Op::literal) && is(1, Op::path)) {
    take(Shape::prefix, 0);
  } else if (steps.size() == 2 && is(0, Op::path) && is(1, Op::literal)) {
    take(Shape::suffix, 1);
  } else if (steps.size() == 3 && is(0, Op::path) && is(1, Op::literal) && is(2, Op::path)) {
    take(Shape::inner, 1);
  } else {
    for (const auto& step : steps) {
      if (step.text.size() > choice.text.size()) choice.text = step.text;
    }
  }
}

}  // namespace picket::relay

#include "relay/protocol/glob.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace picket::relay {
namespace {

constexpr auto npos = std::string_view::npos;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The code point at `at`, which is moved past it. A byte that begins none stands for itself.
char32_t take_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  char32_t point = more == 3 ? lead & 0x07U : more == 2 ? lead & 0x0fU : more == 1 ? lead & 0x1fU : lead;
  for (; more > 0 && at < text.size() && continues(text[at]); --more)
    point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fU);
  return point;
}

bool contains(const std::vector<std::pair<char32_t, char32_t>>& ranges, char32_t point, bool caseless) {
  const auto within = [&](char32_t one) {
    return std::ranges::any_of(ranges, [one](const auto& range) { return range.first <= one && one <= range.second; });
  };
  if (within(point)) return true;
  return caseless && point >= 'a' && point <= 'z' && within(point - 'a' + 'A');
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

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string path_key(std::string_view path) {
  std::string out(path);
  std::ranges::transform(out, out.begin(), [](char c) { return c == '\\' ? '/' : lower(c); });
  return out;
}

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

// Where in the text the steps so far may have ended: ascending, each once.
class Glob::Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    at_.assign(1, 0);
    next_.clear();
  }

  bool empty() const { return at_.empty(); }
  bool reach_end() const { return !empty() && (onward_ || at_.back() == text_.size()); }

  // `first_is_enough`: all places behind the first are reached by what comes next.
  void take_literal(std::string_view literal, bool first_is_enough) {
    if (onward_) {
      for (auto found = text_.find(literal, at_.front()); found != npos; found = text_.find(literal, found + 1)) {
        next_.push_back(found + literal.size());
        if (first_is_enough) break;
      }
    } else {
      for (const auto at : at_) {
        if (text_.substr(at).starts_with(literal)) next_.push_back(at + literal.size());
      }
    }
    advance(false);
  }

  template <class Fits>  // (text, at), which it moves → whether a character fits
  void take_character(Fits fits, bool first_is_enough) {
    each_place([&](std::size_t at) {
      if (fits(text_, at)) next_.push_back(at);
      return !first_is_enough || next_.empty();
    });
    advance(false);
  }

  // Up to the end of the folder.
  void take_run() {
    if (onward_) return;
    std::size_t reached = 0;
    for (auto at : at_) {
      if (at < reached) continue;
      for (; at < text_.size() && text_[at] != '/'; take_point(text_, at)) next_.push_back(at);
      next_.push_back(at);
      reached = at + 1;
    }
    advance(false);
  }

  void take_path() {
    next_.push_back(at_.front());
    advance(true);
  }

  void take_folders() {
    next_.push_back(at_.front());
    for (auto slash = text_.find('/', at_.front()); slash != npos; slash = text_.find('/', slash + 1))
      next_.push_back(slash + 1);
    advance(false);
  }

 private:
  template <class Visit>  // at → whether to go on
  void each_place(Visit visit) const {
    if (!onward_) {
      (void)std::ranges::all_of(at_, visit);
      return;
    }
    for (auto at = at_.front(); at < text_.size() && visit(at);) take_point(text_, at);
  }
  void advance(bool onward) {
    at_.swap(next_);
    next_.clear();
    onward_ = onward;
  }

  // A match is made of a few small sets: their memory is kept.
  static std::vector<std::size_t>& kept(bool other) {
    thread_local std::vector<std::size_t> first;
    thread_local std::vector<std::size_t> second;
    return other ? second : first;
  }

  const std::string_view text_;
  std::vector<std::size_t>& at_ = kept(false);
  std::vector<std::size_t>& next_ = kept(true);
  bool onward_ = false;  // and every character behind the first, and the end
};

// Moves `at` past one character that the step takes.
bool Glob::fits(const Step& step, std::string_view text, std::size_t& at) const {
  if (at >= text.size() || (kind_ == GlobKind::path && text[at] == '/')) return false;
  const auto point = take_point(text, at);
  return step.op == Op::any_char || contains(step.ranges, point, kind_ != GlobKind::text) != step.negated;
}

bool Glob::walk(const Choice& choice, std::string_view text) const {
  const auto& steps = choice.steps;
  const auto& last = steps.back();
  if (last.op == Op::literal && !text.ends_with(last.text)) return false;
  if (text.find(choice.text) == npos) return false;
  Places places(text);
  for (std::size_t i = 0; i < steps.size() && !places.empty(); ++i) {
    const auto& step = steps[i];
    const bool path_follows = i + 1 < steps.size() && steps[i + 1].op == Op::path;
    switch (step.op) {
      case Op::literal: places.take_literal(step.text, path_follows); break;
      case Op::any_char:
      case Op::set:
        places.take_character([&](std::string_view all, std::size_t& at) { return fits(step, all, at); }, path_follows);
        break;
      case Op::run: places.take_run(); break;
      case Op::path: places.take_path(); break;
      case Op::folders: places.take_folders(); break;
    }
  }
  return places.reach_end();
}

bool Glob::matches(const Choice& choice, std::string_view text) const {
  switch (choice.shape) {
    case Shape::exact: return text == choice.text;
    case Shape::prefix: return text.starts_with(choice.text);
    case Shape::suffix: return text.ends_with(choice.text);
    case Shape::inner: return text.find(choice.text) != npos;
    case Shape::general: return walk(choice, text);
  }
  std::abort();
}

bool Glob::matches_folded(std::string_view folded) const {
  folded = folded.substr(0, longest_matched);
  return std::ranges::any_of(choices_, [&](const Choice& choice) { return matches(choice, folded); });
}

bool Glob::matches(std::string_view text) const {
  text = text.substr(0, longest_matched);
  switch (kind_) {
    case GlobKind::text: return matches_folded(text);
    case GlobKind::caseless_text: return matches_folded(lower_case(text));
    case GlobKind::path: return matches_folded(path_key(text));
  }
  std::abort();
}

Result<GlobSet> GlobSet::parse(const std::vector<std::string>& patterns) {
  GlobSet set;
  for (const auto& pattern : patterns) {
    auto glob = Glob::parse(pattern, GlobKind::caseless_text);
    if (!glob) return Error{glob.error().fault, "\"" + pattern.substr(0, 100) + "\": " + glob.error().detail};
    set.globs_.push_back(*std::move(glob));
  }
  return set;
}

bool GlobSet::matches(std::string_view text) const {
  if (globs_.empty()) return false;
  const auto folded = lower_case(text.substr(0, longest_matched));
  return std::ranges::any_of(globs_, [&folded](const Glob& glob) { return glob.matches_folded(folded); });
}

}  // namespace picket::relay

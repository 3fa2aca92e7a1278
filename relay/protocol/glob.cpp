#include "relay/protocol/glob.h"

#include "relay/protocol/utf8.h"

#include <algorithm>
#include <cstdlib>

namespace picket::relay {
namespace {

constexpr auto npos = std::string_view::npos;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool contains(const std::vector<std::pair<char32_t, char32_t>>& ranges, char32_t point, bool caseless) {
  const auto within = [&](char32_t one) {
    return std::ranges::any_of(ranges, [one](const auto& range) { return range.first <= one && one <= range.second; });
  };
  if (within(point)) return true;
  return caseless && point >= 'a' && point <= 'z' && within(point - 'a' + 'A');
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

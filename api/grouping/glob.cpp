#include "api/grouping/glob.h"

#include <algorithm>
#include <cstdlib>

namespace picket::grouping {
namespace {

constexpr std::size_t most_choices = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The end of the set that begins at `at`, npos when it is not closed.
std::size_t set_end(std::string_view pattern, std::size_t at) {
  std::size_t end = at + 1;
  if (end < pattern.size() && (pattern[end] == '!' || pattern[end] == '^')) ++end;
  if (end < pattern.size() && pattern[end] == ']') ++end;
  return pattern.find(']', end);
}

bool in_set(std::string_view pairs, char c) {
  for (std::size_t at = 0; at + 1 < pairs.size(); at += 2) {
    if (c >= pairs[at] && c <= pairs[at + 1]) return true;
  }
  return false;
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

// All ways through "{a,b}", one level deep; what is not closed, or has too many ways, is meant literally.
std::vector<std::string> Glob::without_braces(std::string_view pattern) {
  std::vector<std::string> ways = {""};
  const auto append = [&](std::string_view text) {
    for (auto& way : ways)
      way += text;
  };
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    const auto close = c == '{' ? pattern.find('}', at) : std::string_view::npos;
    if (c == '\\' && at + 1 < pattern.size()) {
      append(pattern.substr(at, 2));
      at += 2;
    } else if (c == '[' && set_end(pattern, at) != std::string_view::npos) {
      const auto end = set_end(pattern, at) + 1;
      append(pattern.substr(at, end - at));
      at = end;
    } else if (close != std::string_view::npos && pattern.substr(at, close - at).find(',') != std::string_view::npos) {
      std::vector<std::string> longer;
      for (std::size_t begin = at + 1; begin <= close;) {
        const auto end = std::min(pattern.find(',', begin), close);
        for (const auto& way : ways)
          longer.push_back(way + std::string(pattern.substr(begin, end - begin)));
        begin = end + 1;
      }
      if (longer.size() > most_choices) return {std::string(pattern)};
      ways = std::move(longer);
      at = close + 1;
    } else {
      if (c == '{' || c == '}') append("\\");
      append(pattern.substr(at, 1));
      ++at;
    }
  }
  return ways;
}

Glob::Choice Glob::compile(std::string_view pattern) const {
  const bool path = kind_ == GlobKind::path;
  Choice choice;
  auto& steps = choice.steps;
  const auto literal = [&](char c) {
    if (kind_ != GlobKind::text) c = lower(c);
    if (steps.empty() || steps.back().op != Op::literal) steps.push_back({Op::literal, false, ""});
    steps.back().text += c;
  };
  const auto set = [&](std::size_t at, std::size_t end) {
    Step step{Op::set, false, ""};
    std::size_t from = at + 1;
    if (pattern[from] == '!' || pattern[from] == '^') step.negated = true, ++from;
    for (; from < end; ++from) {
      const bool range = from + 2 < end && pattern[from + 1] == '-';
      const char first = kind_ == GlobKind::text ? pattern[from] : lower(pattern[from]);
      const char last = range ? (kind_ == GlobKind::text ? pattern[from + 2] : lower(pattern[from + 2])) : first;
      step.text += first;
      step.text += last;
      if (range) from += 2;
    }
    steps.push_back(std::move(step));
  };
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      literal(pattern[++at]);
    } else if (c == '*') {
      const auto begin = at;
      while (at + 1 < pattern.size() && pattern[at + 1] == '*') ++at;
      const bool doubled = path && at > begin;
      const bool folders = doubled && (begin == 0 || pattern[begin - 1] == '/') &&
                           at + 1 < pattern.size() && pattern[at + 1] == '/';
      if (folders) ++at;
      steps.push_back({folders ? Op::any_folders : doubled || !path ? Op::any_path : Op::any_run, false, ""});
    } else if (c == '?') {
      steps.push_back({Op::any_char, false, ""});
    } else if (const auto end = c == '[' ? set_end(pattern, at) : std::string_view::npos;
               end != std::string_view::npos) {
      set(at, end);
      at = end;
    } else {
      literal(path && c == '\\' ? '/' : c);
    }
  }
  settle_shape(choice);
  return choice;
}

void Glob::settle_shape(Choice& choice) const {
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
  } else if (steps.size() == 2 && is(0, Op::literal) && is(1, Op::any_path)) {
    take(Shape::prefix, 0);
  } else if (steps.size() == 2 && is(0, Op::any_path) && is(1, Op::literal)) {
    take(Shape::suffix, 1);
  } else if (steps.size() == 3 && is(0, Op::any_path) && is(1, Op::literal) && is(2, Op::any_path)) {
    take(Shape::inner, 1);
  }
}

Glob::Glob(std::string_view pattern, GlobKind kind) : kind_(kind) {
  for (const auto& way : without_braces(pattern))
    choices_.push_back(compile(way));
}

// Goes back to the last two kinds of run that can grow: one within a folder, one across folders.
bool Glob::walk(const Choice& choice, std::string_view text) const {
  struct Mark {
    std::size_t step = std::string_view::npos;
    std::size_t at = 0;
  };
  const auto& steps = choice.steps;
  Mark within;
  Mark across;
  std::size_t step = 0;
  std::size_t at = 0;
  const auto fits = [&](const Step& each) -> std::size_t {  // characters + 1, 0 when not
    if (each.op == Op::literal) return text.substr(at).starts_with(each.text) ? each.text.size() + 1 : 0;
    if (at >= text.size() || (kind_ == GlobKind::path && text[at] == '/')) return 0;
    return each.op == Op::any_char || in_set(each.text, text[at]) != each.negated ? 2 : 0;
  };
  for (;;) {
    if (step < steps.size()) {
      const auto& each = steps[step];
      if (each.op == Op::any_run) {
        within = {step++, at};
        continue;
      }
      if (each.op == Op::any_path || each.op == Op::any_folders) {
        across = {step++, at};
        within = {};
        continue;
      }
      if (const auto taken = fits(each); taken > 0) {
        at += taken - 1;
        ++step;
        continue;
      }
    } else if (at == text.size()) {
      return true;
    }
    if (within.step != std::string_view::npos && within.at < text.size() && text[within.at] != '/') {
      at = ++within.at;
      step = within.step + 1;
    } else if (across.step != std::string_view::npos && across.at < text.size()) {
      within = {};
      const bool folders = steps[across.step].op == Op::any_folders;
      const auto slash = folders ? text.find('/', across.at) : across.at;
      if (slash == std::string_view::npos) return false;
      at = across.at = slash + 1;
      step = across.step + 1;
    } else {
      return false;
    }
  }
}

bool Glob::matches(const Choice& choice, std::string_view text) const {
  switch (choice.shape) {
    case Shape::exact: return text == choice.text;
    case Shape::prefix: return text.starts_with(choice.text);
    case Shape::suffix: return text.ends_with(choice.text);
    case Shape::inner: return text.find(choice.text) != std::string_view::npos;
    case Shape::general: return walk(choice, text);
  }
  std::abort();
}

bool Glob::matches(std::string_view text) const {
  return std::ranges::any_of(choices_, [&](const Choice& choice) { return matches(choice, text); });
}

}  // namespace picket::grouping

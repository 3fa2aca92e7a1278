#include "api/query/issue_stack_terms.h"

#include "api/query/issue_free_text.h"

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

// Of a frame "function module file", as issue_texts.cpp writes it: each part may be missing.
bool is_file(std::string_view word) {
  return word.find_first_of("./") != std::string_view::npos;
}

// Calls `use` with what may be the file: the last word, or from a word with a slash on, since paths have spaces.
// True when `use` was for one.
template <class Use>
bool any_file(std::string_view line, const Use& use) {
  if (!is_file(line.substr(line.rfind(' ') + 1))) return false;
  for (auto rest = line;;) {
    const auto space = rest.find(' ');
    const bool begins = space == std::string_view::npos || rest.substr(0, space).find('/') != std::string_view::npos;
    if (begins && use(rest)) return true;
    if (space == std::string_view::npos) return false;
    rest.remove_prefix(space + 1);
  }
}

// What may be the function: it may have spaces, and a file behind it is none of it.
template <class Use>
bool any_function(std::string_view line, const Use& use) {
  for (auto end = line.find(' '); end != std::string_view::npos; end = line.find(' ', end + 1)) {
    if (use(line.substr(0, end))) return true;
  }
  return !is_file(line.substr(line.rfind(' ') + 1)) && use(line);
}

// What stands between function and file; or what the file says of it, "src/shop/cart.py" of "shop.cart".
template <class Use>
bool any_module(std::string_view line, const Use& use) {
  for (std::size_t from = 0; from < line.size();) {
    const auto end = std::min(line.find(' ', from), line.size());
    if (from != 0 && use(line.substr(from, end - from))) return true;
    from = end + 1;
  }
  std::string dotted(line.substr(line.rfind(' ') + 1));
  const auto name = dotted.rfind('/') == std::string::npos ? 0 : dotted.rfind('/') + 1;
  if (const auto extension = dotted.rfind('.'); extension != std::string::npos && extension > name) dotted.resize(extension);
  std::ranges::replace(dotted, '/', '.');
  for (std::size_t from = 0; from < dotted.size();) {
    if (use(std::string_view(dotted).substr(from))) return true;
    from = std::min(dotted.find('.', from), dotted.size()) + 1;
  }
  return false;
}

// A path ends with the file, or is the file, of which only the end may be known.
bool is_path_of(std::string_view path, std::string_view file) {
  return path.ends_with(file) && (path.size() == file.size() || file.front() == '/' || path[path.size() - file.size() - 1] == '/');
}

bool path_matches(const Pattern& pattern, std::string_view file) {
  if (pattern.matches_lower(file)) return true;
  return pattern.has_wildcard() ? pattern.matches_lower("/" + std::string(file)) : is_path_of(pattern.plain(), file);
}

bool line_matches(std::string_view key, std::string_view line, const Pattern& pattern) {
  const auto matches = [&](std::string_view text) { return pattern.matches_lower(text); };
  if (key == "stack.function") return any_function(line, matches);
  if (key == "stack.module") return any_module(line, matches);
  if (key == "stack.filename") return any_file(line, matches);
  return any_file(line, [&](std::string_view file) { return path_matches(pattern, file); });
}

// What the lines must have somewhere: of a path its last part, of a module each of its names.
std::vector<std::string> sure_pieces(std::string_view key, const Pattern& pattern) {
  if (key == "stack.function" || key == "stack.filename") return pattern.pieces();
  std::vector<std::string> sure;
  for (std::string_view piece : pattern.pieces()) {
    if (key == "stack.abs_path") {
      sure.emplace_back(piece.substr(piece.rfind('/') + 1));
      continue;
    }
    while (!piece.empty()) {
      const auto name = piece.substr(0, piece.find('.'));
      sure.emplace_back(name);
      piece.remove_prefix(std::min(piece.size(), name.size() + 1));
    }
  }
  return sure;
}

}  // namespace

bool names_part_of_frame(std::string_view key) {
  return key == "stack.function" || key == "stack.filename" || key == "stack.abs_path" || key == "stack.module";
}

bool any_frame_matches(std::string_view key, std::string_view frames, const Pattern& pattern) {
  while (!frames.empty()) {
    const auto line = frames.substr(0, frames.find('\n'));
    if (!line.empty() && line_matches(key, line, pattern)) return true;
    frames.remove_prefix(std::min(frames.size(), line.size() + 1));
  }
  return false;
}

IssueTest stack_test(const buffer::Reader& reader, const SearchScope& scope, const Condition& term) {
  IssueTest any{.kind = IssueTest::Kind::any, .negated = term.asks_not()};
  for (const auto& value : term.values) {
    const Pattern pattern(value.text, true);
    any.parts.push_back(held_in_texts(reader, scope, digest::TextSequences(sure_pieces(term.field.name, pattern)),
                                      [key = term.field.name, pattern](const schema::IssueTexts& texts) {
                                        return any_frame_matches(key, texts.frames(), pattern);
                                      }));
  }
  return any;
}

IssueTest has_stack_test(const buffer::Reader& reader, const SearchScope& scope, bool negated) {
  auto test = held_in_texts(reader, scope, digest::TextSequences({}), [](const schema::IssueTexts& texts) { return !texts.frames().empty(); });
  test.negated = negated;
  return test;
}

}  // namespace picket::query

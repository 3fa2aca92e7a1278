#include "relay/filter/glob.h"

#include <algorithm>
#include <optional>

namespace picket::filter {
namespace {

char fold(char c) {
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

// Where the character that ends at `end` begins. REQUIRES: end > 0.
std::size_t step_back(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  for (int steps = 0; steps < 3 && at > 0 && continues(text[at]); ++steps)
    --at;
  // Stray continuation bytes are characters of their own.
  std::size_t reached = at;
  take_point(text, reached);
  return reached == end ? at : end - 1;
}

bool contains(const std::vector<std::pair<char32_t, char32_t>>& ranges, char32_t point) {
  const auto within = [&](char32_t one) {
    return std::any_of(ranges.begin(), ranges.end(), [one](const auto& range) {
      return range.first <= one && one <= range.second;
    });
  };
  if (within(point)) return true;
  return point >= 'a' && point <= 'z' && within(point - 'a' + 'A');
}

Error malformed(std::string_view why) {
  return Error{Fault::malformed, std::string(why)};
}

}  // namespace

std::string fold(std::string_view text) {
  std::string folded(text.substr(0, longest_matched));
  std::transform(folded.begin(), folded.end(), folded.begin(), [](char c) { return fold(c); });
  return folded;
}

class Glob::Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  Result<std::vector<Alternative>> parse() {
    std::vector<Alternative> all{Alternative(1)};
    while (at_ < pattern_.size()) {
      if (pattern_[at_] != '{') {
        Alternative piece(1);
        if (auto read = read_into(piece); !read) return read.error();
        for (auto& one : all)
          append(one, piece);
        continue;
      }
      ++at_;
      const auto choices = read_choices();
      if (!choices) return choices.error();
      if (all.size() * choices->size() > most_alternatives)
        return Error{Fault::too_large, "too many alternatives in one pattern"};
      std::vector<Alternative> product;
      for (const auto& one : all) {
        for (const auto& choice : *choices)
          append(product.emplace_back(one), choice);
      }
      all = std::move(product);
    }
    return all;
  }

 private:
  // One character of the pattern, whatever it stands for.
  Result<void> read_into(Alternative& into) {
    const char c = pattern_[at_++];
    if (c == '*') {
      if (!into.back().empty() || into.size() == 1) into.emplace_back();
    } else if (c == '?') {
      into.back().push_back({Atom::Kind::any, {}, {}});
    } else if (c == '[') {
      auto set = read_set();
      if (!set) return set.error();
      into.back().push_back(*std::move(set));
    } else {
      const char literal = c == '\\' && at_ < pattern_.size() ? pattern_[at_++] : c;
      add_literal(into.back(), std::string_view(&literal, 1));
    }
    return {};
  }

  Result<std::vector<Alternative>> read_choices() {
    std::vector<Alternative> choices(1, Alternative(1));
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '}') return ++at_, choices;
      if (c == '{') return malformed("braces within braces");
      if (c == ',') {
        ++at_;
        choices.emplace_back(1);
      } else if (auto read = read_into(choices.back()); !read) {
        return read.error();
      }
    }
    return malformed("a brace is not closed");
  }

  Result<Atom> read_set() {
    Atom atom;
    atom.kind = Atom::Kind::one_of;
    if (at_ < pattern_.size() && (pattern_[at_] == '!' || pattern_[at_] == '^')) {
      atom.kind = Atom::Kind::none_of;
      ++at_;
    }
    // A closing bracket that comes first is meant as a character.
    for (bool first = true; at_ < pattern_.size(); first = false) {
      if (pattern_[at_] == ']' && !first) {
        ++at_;
        return atom;
      }
      const auto from = read_set_point();
      auto to = from;
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        ++at_;
        to = read_set_point();
      }
      if (to < from) return malformed("a range runs backwards");
      atom.ranges.emplace_back(from, to);
    }
    return malformed("a bracket is not closed");
  }

  char32_t read_set_point() {
    if (pattern_[at_] == '\\' && at_ + 1 < pattern_.size()) ++at_;
    return take_point(pattern_, at_);
  }

  static void add_literal(Segment& segment, std::string_view bytes) {
    if (segment.empty() || segment.back().kind != Atom::Kind::literal) segment.emplace_back();
    for (const char c : bytes)
      segment.back().literal += fold(c);
  }

  static void append(Alternative& to, const Alternative& piece) {
    for (const auto& atom : piece.front()) {
      if (atom.kind == Atom::Kind::literal) {
        add_literal(to.back(), atom.literal);
      } else {
        to.back().push_back(atom);
      }
    }
    to.insert(to.end(), piece.begin() + 1, piece.end());
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
};

Result<Glob> Glob::parse(std::string_view pattern) {
  if (pattern.size() > longest_pattern)
    return Error{Fault::too_large,
                 "a pattern is longer than " + std::to_string(longest_pattern) + " bytes"};
  auto alternatives = Parser(pattern).parse();
  if (!alternatives) return alternatives.error();
  Glob glob;
  glob.alternatives_ = *std::move(alternatives);
  return glob;
}

// Moves `at` past the segment when it is there.
bool Glob::matches_at(const Segment& segment, std::string_view text, std::size_t& at) {
  auto place = at;
  for (const auto& atom : segment) {
    if (atom.kind == Atom::Kind::literal) {
      if (!text.substr(place).starts_with(atom.literal)) return false;
      place += atom.literal.size();
      continue;
    }
    if (place >= text.size()) return false;
    const auto point = take_point(text, place);
    if (atom.kind == Atom::Kind::any) continue;
    if (contains(atom.ranges, point) != (atom.kind == Atom::Kind::one_of)) return false;
  }
  at = place;
  return true;
}

// The leftmost place is as good as any: what follows is another star.
bool Glob::find_after(const Segment& segment, std::string_view text, std::size_t& at) {
  if (segment.empty()) return true;
  const auto& first = segment.front();
  for (auto place = at; place <= text.size(); ++place) {
    if (first.kind == Atom::Kind::literal) {
      place = text.find(first.literal, place);
      if (place == std::string_view::npos) return false;
    } else if (place < text.size() && continues(text[place])) {
      continue;
    }
    auto end = place;
    if (matches_at(segment, text, end)) {
      at = end;
      return true;
    }
  }
  return false;
}

bool Glob::ends_with(const Segment& segment, std::string_view text, std::size_t from) {
  auto at = text.size();
  for (auto atom = segment.rbegin(); atom != segment.rend(); ++atom) {
    if (atom->kind == Atom::Kind::literal) {
      if (at < atom->literal.size()) return false;
      at -= atom->literal.size();
    } else {
      if (at == 0) return false;
      at = step_back(text, at);
    }
  }
  return at >= from && matches_at(segment, text, at) && at == text.size();
}

bool Glob::matches(const Alternative& alternative, std::string_view text) {
  std::size_t at = 0;
  if (!matches_at(alternative.front(), text, at)) return false;
  if (alternative.size() == 1) return at == text.size();
  for (std::size_t i = 1; i + 1 < alternative.size(); ++i) {
    if (!find_after(alternative[i], text, at)) return false;
  }
  return ends_with(alternative.back(), text, at);
}

bool Glob::matches_folded(std::string_view folded) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [folded](const Alternative& one) { return matches(one, folded); });
}

Result<GlobSet> GlobSet::parse(const std::vector<std::string>& patterns) {
  GlobSet set;
  for (const auto& pattern : patterns) {
    auto glob = Glob::parse(pattern);
    if (!glob) {
      return Error{glob.error().fault,
                   "\"" + pattern.substr(0, 100) + "\": " + glob.error().detail};
    }
    set.globs_.push_back(*std::move(glob));
  }
  return set;
}

bool GlobSet::matches(std::string_view text) const {
  if (globs_.empty()) return false;
  const auto folded = fold(text);
  return std::any_of(globs_.begin(), globs_.end(),
                     [&folded](const Glob& glob) { return glob.matches_folded(folded); });
}

}  // namespace picket::filter

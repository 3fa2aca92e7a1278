#include "api/rest/release_version.h"

#include "api/rest/fields.h"

#include <algorithm>
#include <charconv>

namespace picket::rest {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  });
}

bool is_hash(std::string_view text) {
  const auto size = text.size();
  const bool fits =
      size == 12 || size == 16 || size == 20 || size == 32 || size == 40 || size == 64;
  return fits && std::all_of(text.begin(), text.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

// "1.2.3.4" at the front of `text`; how many characters that took, 0 for none.
std::size_t parse_numbers(std::string_view text, ReleaseVersion& version) {
  std::size_t at = 0;
  while (version.components < version.numbers.size()) {
    const std::size_t from = version.components == 0 ? at : at + 1;
    if (version.components > 0 && (at >= text.size() || text[at] != '.')) break;
    std::size_t to = from;
    while (to < text.size() && is_digit(text[to]))
      ++to;
    constexpr std::size_t most_digits = 9;  // fits 32 bits
    if (to == from || to - from > most_digits) break;
    std::from_chars(text.data() + from, text.data() + to, version.numbers[version.components++]);
    at = to;
  }
  return at;
}

}  // namespace

bool is_release_version(std::string_view version) {
  constexpr std::size_t longest = 200;
  if (version.empty() || length_of(version) > longest) return false;
  const bool control = std::any_of(version.begin(), version.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  const bool blank = version.front() == ' ' || version.back() == ' ';
  std::string lower(version);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return !control && !blank && version != "." && version != ".." && lower != "latest";
}

ReleaseVersion parse_release_version(std::string_view version) {
  ReleaseVersion parsed;
  // A scoped package begins with an @ of its own: "@acme/app@1.0".
  const auto at = version.find('@', 1);
  const bool packaged = at != std::string_view::npos && at + 1 < version.size();
  if (packaged) parsed.package = version.substr(0, at);
  parsed.raw = packaged ? version.substr(at + 1) : version;
  if (is_hash(parsed.raw)) {
    parsed.build_hash = parsed.raw;
    return parsed;
  }
  auto rest = parsed.raw;
  ReleaseVersion numbers = parsed;
  rest.remove_prefix(parse_numbers(rest, numbers));
  if (numbers.components == 0) return parsed;
  const auto plus = rest.find('+');
  if (plus != std::string_view::npos) {
    numbers.build = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    if (!is_word(numbers.build)) return parsed;
  }
  if (!rest.empty()) {
    const bool dash = rest.front() == '-';
    if (dash) rest.remove_prefix(1);
    // Without a dash it must be a letter that ends the numbers: "1.0rc1", not "1.2.3.4.5".
    const bool letter =
        !rest.empty() && !is_digit(rest.front()) && rest.front() != '.' && rest.front() != '-';
    if (!is_word(rest) || (!dash && !letter)) return parsed;
    numbers.pre = rest;
  }
  numbers.numbered = true;
  if (is_hash(numbers.build)) numbers.build_hash = numbers.build;
  return numbers;
}

std::string describe(const ReleaseVersion& version) {
  if (!version.numbered) {
    return std::string(version.build_hash.empty() ? version.raw : version.build_hash.substr(0, 12));
  }
  std::string text(version.raw.substr(0, version.raw.find('+')));
  const auto build = version.build_hash.empty() ? version.build : version.build_hash.substr(0, 12);
  if (!build.empty()) text += " (" + std::string(build) + ")";
  return text;
}

}  // namespace picket::rest

// Small pieces that the matchers of event-specific text are made of. Internal to parametrise*.cpp.
#pragma once

#include <cstddef>
#include <string_view>

namespace picket::grouping::scan {

constexpr bool digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool hex(char c) {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
// What words are made of: bytes of characters beyond ASCII count as letters.
constexpr bool word(char c) {
  return digit(c) || letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

template <class Is>
constexpr std::size_t run_of(std::string_view text, std::size_t from, Is is) {
  std::size_t at = from;
  while (at < text.size() && is(text[at])) ++at;
  return at - from;
}

// Whether a word begins at `at`, and whether one ends there.
constexpr bool begins_word(std::string_view text, std::size_t at) {
  return at < text.size() && word(text[at]) && (at == 0 || !word(text[at - 1]));
}
constexpr bool ends_word(std::string_view text, std::size_t at) {
  return at > 0 && word(text[at - 1]) && (at == text.size() || !word(text[at]));
}

// The end of a date or a time of day at `at`; 0 when there is none.
std::size_t date_end(std::string_view text, std::size_t at);

}  // namespace picket::grouping::scan

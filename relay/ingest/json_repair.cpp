#include "relay/ingest/json_repair.h"

#include <array>
#include <cstddef>
#include <optional>

namespace picket::ingest {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

// The length of the well-formed UTF-8 sequence that `text` begins with, 0 when it begins with none.
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second >= 0xa0;
  const bool past_the_end = lead == 0xf4 && second >= 0x90;
  return overlong || surrogate || past_the_end ? 0 : length;
}

// The code unit of "\uXXXX" at the beginning of `text`.
std::optional<unsigned> escaped_unit(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  unsigned unit = 0;
  for (const char c : text.substr(2, 4)) {
    unit *= 16;
    if (c >= '0' && c <= '9') {
      unit += static_cast<unsigned>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      unit += static_cast<unsigned>((c | 0x20) - 'a') + 10;
    } else {
      return std::nullopt;
    }
  }
  return unit;
}

bool is_high(unsigned unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
bool is_low(unsigned unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

// Copies one escape sequence and returns how many bytes of `text` it took.
std::size_t copy_escape(std::string_view text, std::string& out) {
  const auto unit = escaped_unit(text);
  if (!unit) {
    const auto taken = text.substr(0, 2);
    out += taken;
    return taken.size();
  }
  if (is_high(*unit)) {
    const auto second = escaped_unit(text.substr(6));
    if (second && is_low(*second)) {
      out += text.substr(0, 12);
      return 12;
    }
  }
  if (is_high(*unit) || is_low(*unit)) {
    out += replacement;
  } else {
    out += text.substr(0, 6);
  }
  return 6;
}

// Copies a string from its first character to its closing quote; returns the bytes taken.
std::size_t copy_string(std::string_view text, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      out += c;
      return at + 1;
    }
    if (c == '\\') {
      at += copy_escape(text.substr(at), out);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 0xf];
      ++at;
      continue;
    }
    const auto length = sequence_length(text.substr(at));
    out += length == 0 ? replacement : text.substr(at, length);
    at += length == 0 ? 1 : length;
  }
  return at;
}

}  // namespace

std::string repair_json(std::string_view text) {
  constexpr std::array<std::string_view, 3> nonfinite{"NaN", "-Infinity", "Infinity"};
  std::string out;
  out.reserve(text.size() + 64);
  std::size_t at = 0;
  while (at < text.size()) {
    const auto rest = text.substr(at);
    std::size_t word = 0;
    for (const auto candidate : nonfinite) {
      if (rest.starts_with(candidate)) word = candidate.size();
    }
    if (word != 0) {
      out += "null";
      at += word;
      continue;
    }
    out += text[at++];
    if (out.back() == '"') at += copy_string(text.substr(at), out);
  }
  return out;
}

}  // namespace picket::ingest

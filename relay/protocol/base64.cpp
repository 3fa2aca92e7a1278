#include "relay/protocol/base64.h"

#include <algorithm>
#include <cstdint>

namespace picket::relay {
namespace {

int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

}  // namespace

std::optional<std::string> parse_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t gathered = 0;
  int bits = 0;
  while (text.ends_with('='))
    text.remove_suffix(1);
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    const int digit = digit_of(c);
    if (digit < 0) return std::nullopt;
    gathered = (gathered << 6) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((gathered >> bits) & 0xff);
    }
  }
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto taken = bytes.substr(at, 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < taken.size() ? static_cast<unsigned char>(taken[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= taken.size() ? digits[(group >> (18 - 6 * i)) & 63] : '=';
  }
  return text;
}

std::string encode_base64_url(std::string_view bytes) {
  std::string text = encode_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace picket::relay

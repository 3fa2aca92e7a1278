// Encoders that the product does not need: streams of stored (uncompressed) blocks, built by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::ingest {

inline void append_number(std::string& out, std::uint64_t value, int bytes, bool big_endian) {
  for (int i = 0; i < bytes; ++i) {
    out += static_cast<char>((value >> (8 * (big_endian ? bytes - 1 - i : i))) & 0xff);
  }
}

// REQUIRES: fewer than 64 KiB.
inline std::string encode_zlib(std::string_view bytes) {
  std::uint32_t low = 1;
  std::uint32_t high = 0;
  for (const char c : bytes) {
    low = (low + static_cast<unsigned char>(c)) % 65521;
    high = (high + low) % 65521;
  }
  std::string out = "\x78\x01\x01";
  append_number(out, bytes.size(), 2, false);
  append_number(out, ~bytes.size() & 0xffff, 2, false);
  out += bytes;
  append_number(out, high << 16 | low, 4, true);
  return out;
}

// REQUIRES: at least one byte, at most 64 KiB.
inline std::string encode_brotli(std::string_view bytes) {
  constexpr std::uint64_t uncompressed = 1U << 20;
  std::string out;
  append_number(out, ((bytes.size() - 1) << 4) | uncompressed, 3, false);
  out += bytes;
  out += '\x03';
  return out;
}

inline std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const auto taken = bytes.substr(at, 3);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < taken.size() ? static_cast<unsigned char>(taken[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= taken.size() ? digits[(group >> (18 - 6 * i)) & 63] : '=';
    }
  }
  return out;
}

}  // namespace picket::ingest

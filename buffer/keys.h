// Composite keys: fields one after another so that bytewise order is the order of the fields.
// Numbers are big-endian; text ends with a zero byte (zero bytes within are dropped); text that would
// not fit LMDB's 511-byte keys keeps its first bytes and a hash of all of it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace picket::buffer {

class Key {
 public:
  Key& u8(std::uint8_t value) { return bytes_ += static_cast<char>(value), *this; }
  Key& u16(std::uint16_t value) { return big_endian(value, 2); }
  Key& u32(std::uint32_t value) { return big_endian(value, 4); }
  Key& u64(std::uint64_t value) { return big_endian(value, 8); }
  // Greatest first in ascending order.
  Key& descending(std::uint64_t value) { return big_endian(~value, 8); }
  Key& raw(std::string_view bytes) { return bytes_ += bytes, *this; }
  // At most 200 bytes; longer text is cut to 176 and 16 hex digits of its FNV-1a hash are added.
  Key& text(std::string_view text);

  operator std::string_view() const { return bytes_; }  // NOLINT: a Key is used as its bytes
  std::string_view view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  void clear() { bytes_.clear(); }  // keeps the memory: for the next key

 private:
  Key& big_endian(std::uint64_t value, std::size_t bytes) {
    char digits[8];
    for (std::size_t i = bytes; i > 0; --i, value >>= 8) digits[i - 1] = static_cast<char>(value & 0xff);
    bytes_.append(digits, bytes);
    return *this;
  }
  std::string bytes_;
};

// Reads back what Key wrote; reading past the end gives zeros and empty text.
class KeyReader {
 public:
  explicit KeyReader(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t u64() { return big_endian(8); }
  std::uint64_t descending() { return ~big_endian(8); }
  std::string_view raw(std::size_t bytes) {
    const auto taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view text() {
    const auto end = rest_.find('\0');
    const auto taken = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::uint64_t big_endian(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value = (value << 8) | (i < rest_.size() ? static_cast<unsigned char>(rest_[i]) : 0U);
    }
    rest_.remove_prefix(bytes < rest_.size() ? bytes : rest_.size());
    return value;
  }
  std::string_view rest_;
};

// 64-bit FNV-1a: stable on disk. Not for hostile input where collisions matter.
constexpr std::uint64_t stable_hash(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

inline Key& Key::text(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string_view kept = text.size() > longest ? text.substr(0, 176) : text;
  for (const char c : kept) {
    if (c != '\0') bytes_ += c;
  }
  if (text.size() > longest) {
    constexpr char digits[] = "0123456789abcdef";
    const auto hash = stable_hash(text);
    for (int shift = 60; shift >= 0; shift -= 4) bytes_ += digits[(hash >> shift) & 0xf];
  }
  bytes_ += '\0';
  return *this;
}

}  // namespace picket::buffer

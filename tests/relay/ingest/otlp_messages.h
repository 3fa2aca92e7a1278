// OTLP in protobuf, written by hand: the few wire types that it needs.
#pragma once

#include "relay/ingest/coded.h"

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::ingest::proto {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7)
    bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string number(unsigned field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}
inline std::string fixed64(unsigned field, std::uint64_t value) {
  auto bytes = varint(field << 3 | 1);
  append_number(bytes, value, 8, false);
  return bytes;
}
inline std::string fixed32(unsigned field, std::uint64_t value) {
  auto bytes = varint(field << 3 | 5);
  append_number(bytes, value, 4, false);
  return bytes;
}
inline std::string bytes(unsigned field, std::string_view content) {
  return varint(field << 3 | 2) + varint(content.size()) + std::string(content);
}
inline std::string attribute(unsigned field, std::string_view key, std::string_view value) {
  return bytes(field, bytes(1, key) + bytes(2, value));
}
inline std::string text(unsigned field, std::string_view key, std::string_view value) {
  return attribute(field, key, bytes(1, value));
}

}  // namespace picket::ingest::proto

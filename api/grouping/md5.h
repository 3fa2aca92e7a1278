// The hash that an issue is found by.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::grouping {

struct Hash {
  std::array<std::uint8_t, 16> bytes{};  // md5
  friend bool operator==(const Hash&, const Hash&) = default;
  friend auto operator<=>(const Hash&, const Hash&) = default;
};
std::string_view raw_bytes(const Hash& hash);
std::string render_hash(const Hash& hash);  // 32 lowercase hex digits

Hash md5_of(std::string_view bytes);

}  // namespace picket::grouping

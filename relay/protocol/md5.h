// MD5: what Sentry's hashes of issues are, and ids that must come out the same each time they are made.
//
// THREADS  Every function from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::relay {

struct Md5 {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const Md5&, const Md5&) = default;
  friend auto operator<=>(const Md5&, const Md5&) = default;
};
std::string_view raw_bytes(const Md5& hash);
std::string render_hash(const Md5& hash);  // 32 lowercase hex digits

Md5 md5_of(std::string_view bytes);

}  // namespace picket::relay

// A set of ids that may say "perhaps" wrongly and "no" never: ten bits an id, four of them set, about
// one wrong answer in a hundred. The hash is stable on disk.
#pragma once

#include "buffer/keys.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::facts {

class Bloom {
 public:
  static std::string empty_for(std::size_t ids) {
    return std::string(std::max<std::size_t>(8, ids * 10 / 8 + 1), '\0');
  }
  static void add(std::string& bits, std::string_view id) {
    each(bits.size(), id, [&](std::size_t byte, unsigned bit) {
      bits[byte] = static_cast<char>(static_cast<unsigned char>(bits[byte]) | (1U << bit));
      return true;
    });
  }
  static bool may_hold(std::string_view bits, std::string_view id) {
    if (bits.empty()) return true;
    return each(bits.size(), id, [&](std::size_t byte, unsigned bit) {
      return (static_cast<unsigned char>(bits[byte]) >> bit & 1U) != 0;
    });
  }

 private:
  template <class Visit>
  static bool each(std::size_t bytes, std::string_view id, Visit visit) {
    auto hash = buffer::stable_hash(id);
    const auto step = (hash >> 33) | 1U;
    for (int i = 0; i < 4; ++i, hash += step) {
      const auto bit = hash % (bytes * 8);
      if (!visit(static_cast<std::size_t>(bit / 8), static_cast<unsigned>(bit % 8))) return false;
    }
    return true;
  }
};

}  // namespace picket::facts

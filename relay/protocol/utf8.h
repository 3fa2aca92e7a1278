// One character after the other of what may be UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace picket::relay {

constexpr bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The code point at `at`, which is moved past it. A byte that begins none stands for itself.
// REQUIRES: at < text.size()
constexpr char32_t take_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  char32_t point = more == 3 ? lead & 0x07U : more == 2 ? lead & 0x0fU : more == 1 ? lead & 0x1fU : lead;
  for (; more > 0 && at < text.size() && continues(text[at]); --more)
    point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fU);
  return point;
}

}  // namespace picket::relay

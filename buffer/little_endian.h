// Numbers as bytes, least significant first, as the journal's blocks and bundles have them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace picket::buffer {

template <class Number>
void store(char* out, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out[i] = static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff);
  }
}

template <class Number>
Number load(const char* in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  }
  return static_cast<Number>(value);
}

}  // namespace picket::buffer

// Many varints at once, as ByteWriter::varint() writes them one after another. Read one by one, each waits for the
// length of the one before it; here the ends of up to 64 are known before their values are taken out.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace picket::buffer {

// Eight bytes, the lowest first.
inline std::uint64_t load_word(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

namespace varint_run {

constexpr std::size_t stretch_bytes = 64;
constexpr std::uint64_t high_bits = 0x8080808080808080U;

// A bit for each byte of the stretch that ends a varint.
inline std::uint64_t ends_of(const char* stretch) {
  std::uint64_t ends = 0;
#ifdef __SSE2__
  for (unsigned i = 0; i < stretch_bytes; i += 16) {
    const auto going_on = _mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(stretch + i)));
    ends |= static_cast<std::uint64_t>(~going_on & 0xffff) << i;
  }
#else
  for (unsigned i = 0; i < stretch_bytes; i += 8) {
    const auto lowest = (~load_word(stretch + i) & high_bits) >> 7;
    ends |= ((lowest * 0x0102040810204080U) >> 56) << i;
  }
#endif
  return ends;
}

// Seven bits of each of up to eight bytes. REQUIRES: 0 < length <= 8, eight bytes are there.
inline std::uint64_t value_of(const char* at, std::size_t length) {
  auto word = load_word(at) & (~std::uint64_t{0} >> (64 - 8 * length)) & ~high_bits;
  word = ((word & 0x7f007f007f007f00U) >> 1) | (word & 0x007f007f007f007fU);
  word = ((word & 0x3fff00003fff0000U) >> 2) | (word & 0x00003fff00003fffU);
  return ((word & 0x0fffffff00000000U) >> 4) | (word & 0x000000000fffffffU);
}

// Whether each value that ends in the stretch has four bytes at most; of the first, `before` lie before the stretch.
inline bool are_short(std::uint64_t ends, std::size_t before) {
  if (before >= 4) return false;
  const auto first = ~std::uint64_t{0} >> (60 + before);  // where the first may end
  const auto near = ends | ends << 1 | ends << 2 | ends << 3;  // bytes that an end is three before at most
  return (ends & first) != 0 && (near | first) == ~std::uint64_t{0};
}

// As value_of(). REQUIRES: 0 < length <= 4.
inline constexpr std::uint32_t short_masks[5] = {0, 0x7f, 0x7f7f, 0x7f7f7f, 0x7f7f7f7f};
inline std::uint32_t short_value_of(const char* at, std::size_t length) {
  auto word = static_cast<std::uint32_t>(load_word(at)) & short_masks[length];
  word = ((word & 0x7f007f00U) >> 1) | (word & 0x007f007fU);
  return ((word & 0x3fff0000U) >> 2) | (word & 0x00003fffU);
}

template <class Integer>
Integer held(std::uint64_t value) {
  if constexpr (sizeof(Integer) < sizeof(value)) value = std::min<std::uint64_t>(value, std::numeric_limits<Integer>::max());
  return static_cast<Integer>(value);
}

// Of one varint at the front, as ByteReader::varint() reads it; 0 when it does not end.
inline std::size_t read_one(std::string_view bytes, std::uint64_t& value) {
  value = 0;
  for (std::size_t at = 0; at < std::min<std::size_t>(bytes.size(), 10); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * at);
    if ((byte & 0x80) == 0) return at + 1;
  }
  return 0;
}

}  // namespace varint_run

// Fills `values` from the front of `bytes`; what is too large for one becomes the greatest that it holds. The number of bytes that they took, or nothing when one of them does not end.
template <class Integer>
std::optional<std::size_t> read_varints(std::string_view bytes, std::span<Integer> values) {
  using namespace varint_run;
  auto* const out = values.data();
  std::size_t start = 0;  // of the next value
  std::size_t next = 0;
  std::uint64_t value = 0;
  // All bytes that a stretch's values are loaded from are there: a value that ends in it begins before its end.
  for (std::size_t stretch = 0; stretch + stretch_bytes + 8 <= bytes.size() && next < values.size(); stretch += stretch_bytes) {
    auto ends = ends_of(bytes.data() + stretch);
    if (~ends == 0 && start == stretch && values.size() - next >= stretch_bytes) {
      std::array<unsigned char, stretch_bytes> single;
      std::memcpy(single.data(), bytes.data() + stretch, stretch_bytes);
      for (std::size_t i = 0; i < stretch_bytes; ++i) out[next + i] = static_cast<Integer>(single[i]);
      next += stretch_bytes;
      start += stretch_bytes;
      continue;
    }
    if (values.size() - next >= stretch_bytes && are_short(ends, stretch - start)) {
      for (; ends != 0; ends &= ends - 1) {
        const auto end = stretch + static_cast<std::size_t>(std::countr_zero(ends)) + 1;
        out[next++] = static_cast<Integer>(short_value_of(bytes.data() + start, end - start));
        start = end;
      }
      continue;
    }
    for (; ends != 0 && next < values.size(); ends &= ends - 1) {
      const auto length = stretch + static_cast<std::size_t>(std::countr_zero(ends)) + 1 - start;
      if (length <= 8) {
        value = value_of(bytes.data() + start, length);
      } else if (read_one(bytes.substr(start), value) == 0) {
        return std::nullopt;
      }
      out[next++] = held<Integer>(value);
      start += length;
    }
  }
  for (; next < values.size(); ++next) {
    const auto length = read_one(bytes.substr(start), value);
    if (length == 0) return std::nullopt;
    out[next] = held<Integer>(value);
    start += length;
  }
  return start;
}

}  // namespace picket::buffer

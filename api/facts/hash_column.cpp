#include "api/facts/block.h"
#include "buffer/varint_run.h"

#include <algorithm>

namespace picket::facts {
namespace {

constexpr std::size_t hash_bytes = 5;
constexpr std::uint64_t hash_mask = (std::uint64_t{1} << (8 * hash_bytes)) - 1;
// In the place of none; what has this hash gets the one below.
constexpr std::uint64_t none = hash_mask;

std::int64_t hash_of(std::uint64_t bits) {
  const auto own = bits & hash_mask;
  return own == none ? no_hash : static_cast<std::int64_t>(own);
}

}  // namespace

std::string pack_hashes(std::span<const std::int64_t> hashes) {
  std::string packed;
  packed.reserve(hash_bytes * hashes.size());
  for (const auto hash : hashes) {
    const auto bits = hash == no_hash ? none : std::min(static_cast<std::uint64_t>(hash), none - 1);
    for (std::size_t i = 0; i < hash_bytes; ++i) packed += static_cast<char>(bits >> (8 * i) & 0xff);
  }
  return packed;
}

std::vector<std::int64_t> unpack_hashes(std::string_view packed, std::size_t rows) {
  if (packed.size() != rows * hash_bytes) return {};
  std::vector<std::int64_t> hashes(rows);
  auto* next = hashes.data();
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= packed.size(); at += hash_bytes) *next++ = hash_of(buffer::load_word(packed.data() + at));
  for (; at < packed.size(); at += hash_bytes) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < hash_bytes; ++i) bits |= std::uint64_t{static_cast<unsigned char>(packed[at + i])} << (8 * i);
    *next++ = hash_of(bits);
  }
  return hashes;
}

}  // namespace picket::facts

#include "buffer/sequence_marks.h"

#include "buffer/keys.h"

#include <algorithm>
#include <string>

namespace picket::buffer {
namespace {

Key row_key(std::string_view destination, Mark mark, std::uint64_t block) {
  return Key().text(destination).u8(static_cast<std::uint8_t>(mark)).u64(block);
}

bool bit_of(std::string_view bytes, std::uint64_t bit) {
  return bit / 8 < bytes.size() && ((static_cast<unsigned char>(bytes[bit / 8]) >> (bit % 8)) & 1U) != 0;
}

// The first keys with the prefix, while their block lies before `block_end`.
std::vector<std::string> rows_before(const Reader& tables, std::string_view destination, Mark mark, std::uint64_t block_end, std::size_t most) {
  const std::string prefix(Key().text(destination).u8(static_cast<std::uint8_t>(mark)).view());
  std::vector<std::string> keys;
  auto cursor = tables.cursor(Table::marks);
  for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix) && keys.size() < most; there = cursor.next()) {
    if (KeyReader(cursor.key().substr(prefix.size())).u64() >= block_end) break;
    keys.emplace_back(cursor.key());
  }
  return keys;
}

}  // namespace

void MarkChanges::change(Mark mark, Sequence sequence, bool to) {
  Bits& bits = rows_[{mark, sequence / marks_in_row}];
  const auto byte = sequence % marks_in_row / 8;
  const auto bit = static_cast<std::uint8_t>(1U << (sequence % 8));
  (to ? bits.set : bits.clear)[byte] |= bit;
  (to ? bits.clear : bits.set)[byte] &= static_cast<std::uint8_t>(~bit);
}

void MarkChanges::apply(Batch& batch, std::string_view destination, Sequence journal_first) const {
  for (const auto& [place, bits] : rows_) {
    const auto key = row_key(destination, place.first, place.second);
    std::string bytes(batch.get(Table::marks, key).value_or(""));
    bytes.resize(bits.set.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>((static_cast<unsigned char>(bytes[i]) | bits.set[i]) & static_cast<unsigned char>(~bits.clear[i]));
    }
    const bool any = std::any_of(bytes.begin(), bytes.end(), [](char byte) { return byte != 0; });
    if (any) batch.put(Table::marks, key, bytes);
    else batch.remove(Table::marks, key);
  }
  constexpr std::size_t at_once = 4;
  for (const Mark mark : {Mark::not_sent, Mark::resent, Mark::picked}) {
    for (const auto& key : rows_before(batch, destination, mark, journal_first / marks_in_row, at_once)) batch.remove(Table::marks, key);
  }
}

std::vector<bool> read_marks(const Reader& tables, std::string_view destination, Mark mark, Sequence first, Sequence end) {
  std::vector<bool> bits(end > first ? end - first : 0);
  for (std::uint64_t block = first / marks_in_row; block * marks_in_row < end; ++block) {
    const auto bytes = tables.get(Table::marks, row_key(destination, mark, block));
    if (!bytes) continue;
    const auto from = std::max(first, block * marks_in_row);
    const auto to = std::min(end, (block + 1) * marks_in_row);
    for (auto sequence = from; sequence < to; ++sequence) bits[sequence - first] = bit_of(*bytes, sequence % marks_in_row);
  }
  return bits;
}

bool remove_marks(Batch& batch, std::string_view destination, Mark mark, std::size_t most) {
  const auto keys = rows_before(batch, destination, mark, UINT64_MAX, most);
  for (const auto& key : keys) batch.remove(Table::marks, key);
  return keys.size() < most;
}

}  // namespace picket::buffer

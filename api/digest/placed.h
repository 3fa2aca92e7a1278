// Which rows go when the journal lets go of a record: Table::placed, by place.
#pragma once

#include "buffer/keys.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace picket::digest {

// Stored in keys: never renumber.
enum class PlacedTable : std::uint8_t { replay = 1, segment = 2, profile = 3, chunk = 4 };

struct PlacedAt {
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
  PlacedTable table = PlacedTable::replay;
};
inline buffer::Key placed_key(const PlacedAt& at, std::string_view row) {
  return std::move(
      buffer::Key().u64(at.sequence).u16(at.item).u8(static_cast<std::uint8_t>(at.table)).raw(row));
}

struct TrimmedPlaced {
  std::size_t rows = 0;
  bool done = true;
};
// Removes the rows whose items lie before `floor`, `most` at most. A replay goes with the last of its
// segments' events.
TrimmedPlaced trim_placed(buffer::Batch& batch, std::uint64_t floor, std::size_t most);
bool any_placed_before(const buffer::Reader& reader, std::uint64_t floor);

}  // namespace picket::digest

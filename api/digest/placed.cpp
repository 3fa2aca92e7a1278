#include "api/digest/placed.h"

#include "buffer/rows.h"

#include <string>
#include <vector>

namespace picket::digest {
namespace {

using buffer::KeyReader;
using buffer::Table;

// True when the row is of that item and not of a later one under the same name.
template <class Row>
bool is_of(const buffer::Reader& reader, Table table, std::string_view key, std::uint64_t sequence) {
  const auto row = buffer::find_row<Row>(reader, table, key);
  return row && row->sequence() == sequence;
}

void remove_row(buffer::Batch& batch, PlacedTable table, std::string_view key, std::uint64_t sequence) {
  switch (table) {
    case PlacedTable::replay: {
      const auto row = buffer::find_row<schema::Replay>(batch, Table::replays, key);
      if (row && row->last_sequence() <= sequence) batch.remove(Table::replays, key);
      return;
    }
    case PlacedTable::segment:
      if (is_of<schema::PlacedItem>(batch, Table::replay_segments, key, sequence))
        batch.remove(Table::replay_segments, key);
      return;
    case PlacedTable::profile:
      if (is_of<schema::Profile>(batch, Table::profiles, key, sequence))
        batch.remove(Table::profiles, key);
      return;
    case PlacedTable::chunk:
      if (is_of<schema::PlacedItem>(batch, Table::profile_chunks, key, sequence))
        batch.remove(Table::profile_chunks, key);
      return;
  }
}

}  // namespace

TrimmedPlaced trim_placed(buffer::Batch& batch, std::uint64_t floor, std::size_t most) {
  std::vector<std::string> keys;
  TrimmedPlaced trimmed;
  {
    auto cursor = batch.cursor(Table::placed);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      if (KeyReader(cursor.key()).u64() >= floor) break;
      if (keys.size() == most) {
        trimmed.done = false;
        break;
      }
      keys.emplace_back(cursor.key());
    }
  }
  for (const auto& key : keys) {
    KeyReader reader(key);
    const auto sequence = reader.u64();
    reader.u16();
    const auto table = static_cast<PlacedTable>(reader.u8());
    remove_row(batch, table, reader.rest(), sequence);
    batch.remove(Table::placed, key);
  }
  trimmed.rows = keys.size();
  return trimmed;
}

bool any_placed_before(const buffer::Reader& reader, std::uint64_t floor) {
  auto cursor = reader.cursor(Table::placed);
  return cursor.first() && KeyReader(cursor.key()).u64() < floor;
}

}  // namespace picket::digest

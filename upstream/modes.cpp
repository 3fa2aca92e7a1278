#include "upstream/modes.h"

#include "buffer/rows.h"
#include "upstream/ledger.h"
#include "upstream/unwanted.h"

#include <map>
#include <string>

namespace picket::upstream {
namespace {

using buffer::Table;
using Modes = std::map<std::string, bool>;  // name → forward-only
using Rows = std::map<std::string, schema::Destination>;

Rows rows_by_name(const buffer::Reader& tables) {
  Rows rows;
  auto cursor = tables.cursor(Table::destinations);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    rows.emplace(std::string(cursor.key()), buffer::parse_row<schema::Destination>(cursor.value()));
  }
  return rows;
}

bool differ(const Rows& rows, const Modes& modes) {
  for (const auto& [name, row] : rows) {
    const auto mode = modes.find(name);
    if (mode == modes.end() ? row.forward_only() || row.retired_ms() != 0 : mode->second != row.forward_only()) return true;
  }
  for (const auto& [name, forward_only] : modes) {
    if (!rows.contains(name)) return true;
  }
  return false;
}

void change_mode(buffer::Batch& batch, const std::string& name, schema::Destination row, bool forward_only) {
  row.set_name(name);
  row.set_forward_only(forward_only);
  row.clear_unwanted();
  const auto cursor = buffer::find_row<schema::Cursor>(batch, Table::cursors, cursor_name(name));
  if (forward_only && cursor && cursor->next_sequence() > 1) {
    row.add_unwanted(1);
    row.add_unwanted(cursor->next_sequence() - 1);
  }
  buffer::put_row(batch, Table::destinations, name, row);
}

}  // namespace

Result<void> note_modes(buffer::Tables& tables, const std::vector<DestinationConfig>& configs) {
  Modes modes;
  for (const DestinationConfig& config : configs) modes[config.name] = config.forward_only();
  if (!differ(rows_by_name(tables.snapshot()), modes)) return {};
  return tables.write([&](buffer::Batch& batch) {
    auto rows = rows_by_name(batch);
    for (const auto& [name, row] : rows) {
      const auto mode = modes.find(name);
      if (mode == modes.end() && row.retired_ms() != 0) batch.remove(Table::destinations, name);
      else if (const bool wanted = mode != modes.end() && mode->second; wanted != row.forward_only()) change_mode(batch, name, row, wanted);
    }
    for (const auto& [name, forward_only] : modes) {
      if (!rows.contains(name)) change_mode(batch, name, {}, forward_only);
    }
  });
}

}  // namespace picket::upstream

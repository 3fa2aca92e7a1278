#include "api/digest/item_ledger.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

namespace picket::digest {

void ItemLedger::write(buffer::Batch& batch) const {
  for (const auto& [entry, quantity] : sums_) {
    const auto key = buffer::Key()
                         .u64(entry.project)
                         .u64(static_cast<std::uint64_t>(entry.hour_ms))
                         .u8(static_cast<std::uint8_t>(entry.category))
                         .u8(static_cast<std::uint8_t>(entry.fate))
                         .raw({entry.key.data(), entry.key.size()});
    auto row = buffer::find_row<schema::Count>(batch, buffer::Table::ledger, key).value_or(schema::Count());
    row.set_quantity(row.quantity() + quantity);
    buffer::put_row(batch, buffer::Table::ledger, key, row);
  }
}

}  // namespace picket::digest

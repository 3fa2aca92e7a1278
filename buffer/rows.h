// Typed reading and writing of rows: protobuf messages at the seam of the tables. Fields that a newer
// version wrote are kept by a read-change-write (protobuf's unknown fields).
#pragma once

#include "buffer/logger.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <optional>
#include <string>
#include <string_view>

namespace picket::buffer {

// Nothing when absent, or (after an error line in the log) when the stored bytes do not parse.
template <class Row>
std::optional<Row> find_row(const Reader& reader, Table table, std::string_view key) {
  const auto bytes = reader.get(table, key);
  if (!bytes) return std::nullopt;
  Row row;
  if (!row.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
    log(Level::error, "buffer", "row does not parse", {{"table", table_name(table)}});
    return std::nullopt;
  }
  return row;
}

template <class Row>
void put_row(Batch& batch, Table table, std::string_view key, const Row& row) {
  batch.put(table, key, row.SerializeAsString());
}

template <class Row>
Row parse_row(std::string_view bytes) {
  Row row;
  row.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return row;
}

}  // namespace picket::buffer

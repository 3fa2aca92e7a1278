// Which schema the tables were written with. Fields, tables and indexes are only ever added, so that
// any version can open any version's data; the numbers are for what cannot be ignored.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "buffer/tables.h"

#include <cstdint>
#include <filesystem>

namespace picket::buffer {

// Raised by one with every field, table or index that is added after a release.
constexpr std::uint32_t schema_number = 4;
// The smallest schema number whose binaries can still work with what this binary writes.
// 2: rows packed into blocks (packed_block.h).
constexpr std::uint32_t minimum_reader = 2;
// The smallest whose binaries can read segments that were recompressed (bundle.h). Asked for from the first of them on.
constexpr std::uint32_t bundle_reader = 3;
// The smallest whose binaries know that counts of tags may wait (api/digest/waiting_tags.h). Asked for while some do.
constexpr std::uint32_t tag_runs_reader = 4;

struct SchemaFound {
  bool created = false;          // there was nothing before
  std::uint32_t written_by = 0;  // the schema number of the binary that wrote last
};

// Checks that this binary can work with the tables and notes that it writes them from now on. Newer
// data that it can read is a warning in the log; data that it cannot is Fault::malformed (exit 78).
Result<SchemaFound> check_schema(Tables& tables, Time now);

// From now on binaries with a smaller schema number than `least` refuse the tables. Durable when it returns.
Result<void> raise_minimum_reader(Tables& tables, std::uint32_t least);
// The same until release_reader(): what was raised meanwhile stays. For one thing at a time; without check_schema() nothing.
void hold_reader(Batch& batch, std::uint32_t least);
void release_reader(Batch& batch);
// That number, but for what is held.
std::uint32_t read_minimum_reader(const Tables& tables);

// The check alone, for verbs.
Result<void> check_schema_readable(const Tables& tables);
// The same for verbs that open the journal alone, of which an older binary would call damaged what it does not know.
// A folder without tables, or whose tables cannot be opened, passes: repairs are for those as well.
Result<void> check_folder_readable(const std::filesystem::path& storage);

}  // namespace picket::buffer

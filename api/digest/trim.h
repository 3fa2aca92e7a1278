// Removes the rows of events whose payload the journal has let go of. Issues and their counts
// stay, and tags for 90 days (tag_expiry.h): they are what is known of what was.
#pragma once

#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/tables.h"

#include <cstddef>

namespace picket::digest {

// Records before this sequence may be gone (Table::meta, `journal_floor`); 0 when none may.
buffer::Sequence journal_floor(const buffer::Reader& reader);

struct Trimmed {
  std::size_t rows = 0;  // events and raw items
  bool done = false;     // nothing before the floor is left
};

// Removes at most about `most_rows` events and raw items before `floor`, with their index entries,
// in one write: call again until done.
Result<Trimmed> trim_before(buffer::Tables& tables, buffer::Sequence floor, std::size_t most_rows);

}  // namespace picket::digest

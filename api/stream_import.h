// Takes a stream of envelopes (journal_stream.h) into a journal, with the promises of intake.
//
// INVARIANT  What is counted as taken was synced.
// INVARIANT  An event that is here already, by project and event id, is not taken again; nor is anything
//            else that is here with the same time, key and bytes. So a stream can be given twice, and an
//            import that broke off be begun again.
#pragma once

#include "api/journal_stream.h"
#include "buffer/journal.h"
#include "buffer/tables.h"

#include <cstdint>
#include <optional>

namespace picket::api {

struct ImportOptions {
  std::uint64_t to_project = 0;  // all go to this project, with its first key; 0: to the project they name
};

struct ImportReport {
  std::uint64_t taken = 0;
  std::uint64_t taken_bytes = 0;
  std::uint64_t duplicates = 0;
  buffer::Sequence last_read = 0;  // of the stream, by its own numbers: what came behind was not taken
  std::optional<Error> stopped{};  // empty: the whole stream was read to its end
};

// Reads the journal once beforehand, to know what is here: 32 bytes of memory a record.
ImportReport import_stream(StreamReader& reader,
                           buffer::Journal& journal,
                           const buffer::Tables& tables,
                           const ImportOptions& options);

}  // namespace picket::api

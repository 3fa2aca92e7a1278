// Whether an envelope that another Picket sent is there already: when a connection breaks before the answer, its sender
// cannot know, and sends it again. An event is known by its id; sessions, logs and the rest have none, so the sender
// gives the whole envelope one (X-Picket-Record, docs/batches.md).
//
// Such an id stands among the ids of events (buffer/event_ids.h); what it names is no event but a record of the journal,
// whose meta data has it whole. An id is known for as long as that record is there.
//
// THREADS  Belongs to the digest's.
#pragma once

#include "buffer/event_ids.h"
#include "buffer/journal.h"
#include "buffer/tables.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace picket::digest {

class RepeatBook {
 public:
  RepeatBook(const buffer::Journal& journal, const buffer::Tables& tables) : journal_(journal), tables_(tables) {}

  // Looks into the tables as they are at the first question since forget().
  bool is_there(std::uint64_t project, std::string_view record_id);
  // Lets go of them.
  void forget();

 private:
  bool is_of(buffer::Sequence sequence, std::uint64_t project, std::string_view record_id) const;

  const buffer::Journal& journal_;
  const buffer::Tables& tables_;
  std::optional<buffer::Snapshot> snapshot_;
  std::optional<buffer::EventIdLookup> lookup_;
};

}  // namespace picket::digest

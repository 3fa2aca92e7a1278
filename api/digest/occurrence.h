// Events that Picket makes itself: what a monitor has to say becomes an event of an issue like any
// other, with its payload in the row because the journal has none.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::digest {

struct Occurrence {
  std::uint64_t project = 0;
  Time at{};
  std::string_view issue_type;  // Sentry's word
  relay::EventId id;
  std::string payload;  // an event's JSON
};

// REQUIRES: nobody else holds rows of the project, its issues or releases that are not yet written.
void write_occurrence(buffer::Batch& batch, const Occurrence& occurrence);

}  // namespace picket::digest

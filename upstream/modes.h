// What the configuration says of destinations and the tables have to know before anything is sent or
// recycled: which there are, and which are forward-only.
#pragma once

#include "buffer/tables.h"
#include "upstream/config.h"

#include <vector>

namespace picket::upstream {

// Notes it, in one write, where it has changed. One that becomes forward-only has had nothing so far:
// what its cursor has passed by then stays. Rows of retired destinations that are no longer configured go.
Result<void> note_modes(buffer::Tables& tables, const std::vector<DestinationConfig>& configs);

}  // namespace picket::upstream

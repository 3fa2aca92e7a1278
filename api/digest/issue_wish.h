// What upstreams say about the states of issues (Table::issue_wishes), taken up by the digest: the
// last writer wins, by stamp, and what is taken leaves an activity with its origin.
//
// INVARIANT  A wish is applied and removed in one batch.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"

#include <cstddef>

namespace picket::digest {

bool any_wish(const buffer::Reader& reader);
// Takes up the oldest, at most `most`. What names an issue, a person or a team that is not here is
// dropped.
void grant_wishes(buffer::Batch& batch, Time now, std::size_t most);

}  // namespace picket::digest

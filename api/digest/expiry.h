// Lets go of what is kept by age and not by place in the journal: sessions that no update can reach
// any more, counts of sessions and check-ins older than anybody asks for.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"

#include <cstddef>

namespace picket::digest {

// Updates of sessions that began more than five days ago are refused: a row may go a day later.
constexpr Duration session_age(std::int64_t{6} * 24 * 3600 * 1000);
constexpr Duration history_age(std::int64_t{90} * 24 * 3600 * 1000);

// Removes at most about `most_rows` of each kind in one write, which it makes only when there is
// something to remove. True when nothing is left to do.
Result<bool> expire(buffer::Tables& tables, Time now, std::size_t most_rows);

}  // namespace picket::digest

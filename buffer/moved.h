// Whether a part of the journal was moved: every envelope in it is at a destination with
// mode = "forward-only", and nobody here has still to read any of it.
//
// It was when all consumers have passed it, nothing of it waits behind a cursor or lies in quarantine
// at any destination, and what one forward-only destination was not to have another one has.
//
// INVARIANT  In doubt it was not: a destination without a cursor, rows of one that is no longer
//            configured, an envelope that went in part.
#pragma once

#include "buffer/journal.h"
#include "buffer/tables.h"

namespace picket::buffer {

bool is_moved(const Reader& tables, Sequence first, Sequence last);

}  // namespace picket::buffer

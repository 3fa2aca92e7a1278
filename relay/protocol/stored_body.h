// What intake stored, without the coding that it came in: for the journal, which knows nothing of codings.
#pragma once

#include "buffer/journal.h"

#include <optional>

namespace picket::relay {

// Nothing for a body that has no coding, that is larger than a mebibyte without, or that cannot be decoded.
std::optional<buffer::PlainBody> open_stored_body(const buffer::StoredRecord& record);

}  // namespace picket::relay

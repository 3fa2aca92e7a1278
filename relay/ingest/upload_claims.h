// What the last process left undecided: uploads whose record was on its way when it ended. The journal
// has the record or it has not.
#pragma once

#include "buffer/journal.h"
#include "relay/ingest/upload_store.h"

#include <memory>

namespace picket::ingest {

// Uses up the claimed uploads that a record names, and takes the claims off the others; gives the store
// back. Reads what was committed after the oldest claim: what a process has on its way at once, not
// the backlog. Claims stay, with a warning, when the journal cannot be read.
std::shared_ptr<UploadStore> settle_claims(std::shared_ptr<UploadStore> store, const buffer::Journal& journal);

}  // namespace picket::ingest

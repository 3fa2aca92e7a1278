// How Picket is doing, read from its data folder: what `picket status` shows, also while another
// process serves.
#pragma once

#include "buffer/clock.h"
#include "buffer/command.h"
#include "buffer/journal.h"
#include "buffer/tables.h"

#include <boost/json.hpp>

namespace picket::api {

// {"journal": {first, next, records, used_bytes, file_bytes, full, set_aside: [names of damaged segments],
//              room: {step: "ample", "low" or "full", since, bytes, disk_free_bytes},  as the serving process last said
//              recompressed: {segments, records, bytes_before, bytes_after}},
//  "digest": {next, waiting, lag_s},
//  "envelopes": {stored}, "ledger": {received, stored, dropped, reasons: {…}},
//  "destinations": [{name, state, waiting, oldest_waiting_s, forwarded, quarantined, expired, …,
//                    status_sync: null or {mode, state, waiting, told, taken, refused, last_success, last_error}}]}
// `waiting` counts envelopes; past 50,000 of them it is the number of journal records instead.
// The snapshot is older than the journal is: its cursors have not passed what the journal holds.
boost::json::object collect_status(const buffer::Reader& snapshot, const buffer::Journal& journal, Time now);

Command status_command();

}  // namespace picket::api

// cron/{slug}[/{key}]: a check-in of a monitor as one GET, HEAD or POST that curl can send.
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// A JSON body is the check-in; without one the query is: status (required), check_in_id,
// environment, duration (seconds). The monitor is the path's in both. An id that is not given is
// all zeros, which means the latest. 202; never 429.
std::variant<Converted, Refusal> convert_check_in(const Inbound& inbound);

}  // namespace picket::ingest

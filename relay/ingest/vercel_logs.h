// integration/vercel/logs: Vercel's log drain. Each line becomes a log.
// https://vercel.com/docs/drains/reference/logs
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// A JSON array of log objects, or one object a line; told apart by the first byte. Fields become
// attributes `vercel.…` in snake case. What is no object is dropped (invalid_json) beside the
// others; 400 when nothing is left. 202.
std::variant<Converted, Refusal> convert_vercel_logs(const Inbound& inbound);

}  // namespace picket::ingest

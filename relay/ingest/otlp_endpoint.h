// integration/otlp/v1/traces and …/logs: what OpenTelemetry's exporters post over HTTP. Spans
// become span v2 items, log records and what happened within spans become logs, and a recorded
// exception is an event besides, so that it becomes an issue.
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// application/json and application/x-protobuf, else 415; the answer is in the same. Spans without
// valid ids and log records of more than 1 MiB are dropped, counted, and told as partial success.
std::variant<Converted, Refusal> convert_otlp_traces(const Inbound& inbound);
std::variant<Converted, Refusal> convert_otlp_logs(const Inbound& inbound);

}  // namespace picket::ingest

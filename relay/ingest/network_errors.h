// nel/: the reports of Network Error Logging that browsers post. Each becomes a log.
// https://www.w3.org/TR/network-error-logging/#generate-a-network-error-report
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// An array of reports, or one. What is no report is dropped (invalid_json) beside the others.
// 415 for other content types than application/json and application/reports+json; never 429.
std::variant<Converted, Refusal> convert_network_errors(const Inbound& inbound);

}  // namespace picket::ingest

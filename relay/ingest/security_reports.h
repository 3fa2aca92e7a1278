// security/ and csp-report/: the reports that browsers post when a page breaks its policies. Each
// becomes a raw_security item; what it says is read by the digest.
#pragma once

#include "relay/ingest/endpoint.h"

#include <variant>

namespace picket::ingest {

// One report, or an array of them (the Reporting API's). 415 for other content types than reports
// have. The query's sentry_release and sentry_environment are kept in the item headers. Reports of
// a kind that is no security report are dropped (security_report_type), the others are kept.
std::variant<Converted, Refusal> convert_security(const Inbound& inbound);

}  // namespace picket::ingest

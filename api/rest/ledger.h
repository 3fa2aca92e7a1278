// The ledger as the API and `picket ledger --json` show it.
#pragma once

#include "api/query/ledger.h"

#include <boost/json.hpp>

namespace picket::rest {

// {"data": [{hour?, project?, key?, category?, received, stored, filtered, rateLimited, invalid, abuse,
//  clientDiscarded, destinations: {name: {forwarded, waiting, quarantined, expired, notRouted, notSampled}}}],
//  "undigested": records behind the digest, "waitingIsRest": bool}
boost::json::object render_ledger(const query::LedgerReport& report, const query::LedgerGrouping& by);

}  // namespace picket::rest

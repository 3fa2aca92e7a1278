// A user report as JSON, for the lists of reports and for the event it is about.
#pragma once

#include "api/rest/router.h"

#include <boost/json.hpp>

namespace picket::rest {

// `issue` is null in it.
boost::json::object render_user_report(const schema::UserReport& report);

}  // namespace picket::rest

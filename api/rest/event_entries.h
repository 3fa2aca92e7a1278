// The `entries` of an event: the parts of its payload, each in the shape that Sentry's answers give it.
#pragma once

#include "api/rest/event_view.h"

#include <boost/json.hpp>

namespace picket::rest {

boost::json::array render_entries(const EventView& view);

// event_stack.cpp
boost::json::value render_exceptions(const boost::json::value& exception);
boost::json::value render_stacktrace(const boost::json::value& stacktrace);  // null when it has no frames
boost::json::value render_threads(const boost::json::value& threads);
// event_request.cpp
boost::json::value render_request(const boost::json::object& request);

}  // namespace picket::rest

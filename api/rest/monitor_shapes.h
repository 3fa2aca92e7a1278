// Monitors and their check-ins as JSON, and the reading of what a request says about one.
#pragma once

#include "api/digest/monitor_state.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <boost/json.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace picket::rest {

// The shape with the project, and the environments that are asked for (none named: all).
boost::json::object render_monitor(const buffer::Reader& reader,
                                   const OrganizationView& view,
                                   const schema::Monitor& monitor,
                                   const std::vector<std::string_view>& environments);
boost::json::object render_check_in(const buffer::Reader& reader,
                                    const schema::Monitor& monitor,
                                    const schema::CheckInRow& check_in);

// What a body asks for; fields it does not have keep what `monitor` has. Complaints go to `fields`.
// The slug that is wished for, when one is. `organization` is where owners are looked for.
std::optional<std::string> read_monitor(const buffer::Reader& reader,
                                        std::uint64_t organization,
                                        Fields& fields,
                                        schema::Monitor& monitor);

}  // namespace picket::rest

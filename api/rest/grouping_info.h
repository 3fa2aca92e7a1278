// The name of the way in which events are grouped, as projects and events show it.
#pragma once

#include <string_view>

namespace picket::rest {

inline constexpr std::string_view grouping_config_id = "newstyle:2023-01-11";

}  // namespace picket::rest

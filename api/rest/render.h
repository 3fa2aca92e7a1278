// JSON shapes that several topics share, as the API document has them. What Picket has no feature
// for gets its true neutral value: an empty list, false, null.
#pragma once

#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::rest {

boost::json::value text_or_null(std::string_view text);
boost::json::object render_avatar();
boost::json::object render_user(const schema::User& user);

// The object stored as text in an options_json field; {} when there is none.
boost::json::object parse_options(std::string_view options_json);

}  // namespace picket::rest

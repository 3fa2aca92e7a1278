// Reading JSON of unknown shape, in the words of boost::json.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::rest {

namespace json = boost::json;

const json::value* member(const json::object& object, std::string_view name);  // nullptr also for null
const json::object* object_member(const json::object& object, std::string_view name);
const json::array* array_member(const json::object& object, std::string_view name);
// Text, or a number or boolean as text; nothing for the rest.
std::optional<std::string> text_value(const json::value& value);
std::optional<std::string> text_member(const json::object& object, std::string_view name);
json::value text_or_null_member(const json::object& object, std::string_view name);
json::value value_or_null(const json::object& object, std::string_view name);

// The objects of a list in any of its shapes: an array, {"values": […]}, one object by itself.
std::vector<const json::object*> listed_objects(const json::value& value, std::size_t most);

// [["k", "v"], …] from an object, an array of pairs, or text split at `separator` ("a=1&b=2").
json::array render_pairs(const json::value& value, char separator);

// An RFC 3339 time from text or a number of seconds; the text itself when it is neither; else null.
json::value render_any_time(const json::value& value);
std::optional<std::int64_t> any_time_ms(const json::value& value);

}  // namespace picket::rest

#include "api/rest/event_shapes.h"

#include "api/rest/router.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <cmath>

namespace picket::rest {
namespace {

constexpr std::size_t most_pairs = 1000;

json::value pair(std::string_view key, json::value value) {
  json::array both;
  both.emplace_back(json::string(key));
  both.push_back(std::move(value));
  return both;
}

json::array pairs_of_text(std::string_view text, char separator) {
  json::array pairs;
  while (!text.empty() && pairs.size() < most_pairs) {
    const auto end = text.find(separator);
    auto part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (!part.empty()) {
      const auto equals = part.find('=');
      const auto value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
      const bool query = separator == '&';
      const auto decode = [&](std::string_view each) {
        return query ? replace_invalid_utf8(http::percent_decode(each, true)) : std::string(each);
      };
      pairs.push_back(pair(decode(part.substr(0, equals)), json::value(decode(value))));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return pairs;
}

// Header values may be lists.
json::value pair_value(const json::value& value) {
  const auto* list = value.if_array();
  if (!list) return value;
  std::string joined;
  for (const auto& each : *list) {
    const auto text = text_value(each);
    if (!text) continue;
    if (!joined.empty()) joined += ',';
    joined += *text;
  }
  return json::value(joined);
}

}  // namespace

const json::value* member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

const json::object* object_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

const json::array* array_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

std::optional<std::string> text_value(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string: return std::string(value.get_string());
    case json::kind::int64: return std::to_string(value.get_int64());
    case json::kind::uint64: return std::to_string(value.get_uint64());
    case json::kind::double_:
    case json::kind::bool_: return json::serialize(value);
    case json::kind::null:
    case json::kind::array:
    case json::kind::object: return std::nullopt;
  }
  std::abort();
}

std::optional<std::string> text_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? text_value(*value) : std::nullopt;
}

json::value text_or_null_member(const json::object& object, std::string_view name) {
  auto text = text_member(object, name);
  return text ? json::value(*text) : json::value(nullptr);
}

json::value value_or_null(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? *value : json::value(nullptr);
}

std::vector<const json::object*> listed_objects(const json::value& value, std::size_t most) {
  std::vector<const json::object*> objects;
  const auto* list = value.if_array();
  if (const auto* object = value.if_object()) {
    const auto* values = object->if_contains("values");
    if (!values) return {object};
    if (const auto* one = values->if_object()) return {one};
    list = values->if_array();
  }
  if (!list) return objects;
  for (const auto& each : *list) {
    if (objects.size() >= most) break;
    if (const auto* object = each.if_object()) objects.push_back(object);
  }
  return objects;
}

json::array render_pairs(const json::value& value, char separator) {
  if (const auto* text = value.if_string()) return pairs_of_text(*text, separator);
  json::array pairs;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, each] : *object) {
      if (pairs.size() < most_pairs) pairs.push_back(pair(key, pair_value(each)));
    }
  } else if (const auto* list = value.if_array()) {
    for (const auto& each : *list) {
      const auto* both = each.if_array();
      if (!both || both->size() != 2 || pairs.size() >= most_pairs) continue;
      if (const auto key = text_value(both->front())) pairs.push_back(pair(*key, pair_value(both->back())));
    }
  }
  return pairs;
}

std::optional<std::int64_t> any_time_ms(const json::value& value) {
  if (value.is_number()) {
    const double seconds = value.to_number<double>();
    // The years 1970 to 9999.
    if (!std::isfinite(seconds) || seconds <= 0 || seconds >= 253'402'300'800.0) return std::nullopt;
    return static_cast<std::int64_t>(std::llround(seconds * 1000));
  }
  if (const auto* text = value.if_string()) return relay::parse_timestamp(*text);
  return std::nullopt;
}

json::value render_any_time(const json::value& value) {
  if (const auto ms = any_time_ms(value)) return render_time(*ms);
  if (value.is_string()) return value;
  return nullptr;
}

}  // namespace picket::rest

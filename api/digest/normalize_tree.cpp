#include "api/digest/normalize_tree.h"

#include "api/digest/json_shape.h"
#include "relay/protocol/envelope.h"

#include <charconv>
#include <cmath>

namespace picket::digest {
namespace {

constexpr int deepest = 100;

json::value copy(JsonElement element, int depth);

json::object copy(JsonObject source, int depth) {
  json::object object;
  object.reserve(source.size());
  for (const auto [key, value] : source) {
    const json::string_view name(key.data(), key.size());
    object.insert_or_assign(name, copy(value, depth + 1));
  }
  return object;
}

json::value copy(JsonElement element, int depth) {
  switch (element.type()) {
    case JsonType::STRING: return json::value(element.get_string().value_unsafe());
    case JsonType::BOOL: return element.get_bool().value_unsafe();
    case JsonType::DOUBLE: return element.get_double().value_unsafe();
    case JsonType::INT64: return element.get_int64().value_unsafe();
    case JsonType::UINT64: return element.get_uint64().value_unsafe();
    case JsonType::NULL_VALUE: return nullptr;
    case JsonType::ARRAY: {
      if (depth == deepest) return nullptr;
      json::array list;
      const auto source = element.get_array().value_unsafe();
      list.reserve(source.size());
      for (const auto each : source) list.push_back(copy(each, depth + 1));
      return list;
    }
    case JsonType::OBJECT:
      if (depth == deepest) return nullptr;
      return copy(element.get_object().value_unsafe(), depth);
  }
  return nullptr;
}

}  // namespace

std::optional<json::object> read_tree(std::string_view payload, bool& repaired) {
  constexpr std::size_t largest = std::size_t{64} << 20;
  if (payload.size() > largest) return std::nullopt;
  const auto root = parse_json(payload, repaired);
  if (!root) return std::nullopt;
  const auto object = object_of(*root);
  if (!object) return std::nullopt;
  return copy(*object, 0);
}

json::value* find(json::object& object, std::string_view name) {
  auto* value = object.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

const json::value* find(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

json::object* find_object(json::object& object, std::string_view name) {
  auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

json::array* find_array(json::object& object, std::string_view name) {
  auto* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

json::object& make_object(json::object& parent, std::string_view name) {
  auto& value = parent[name];
  if (!value.is_object()) value = json::object();
  return value.get_object();
}

std::optional<std::string> scalar_text(const json::value& value) {
  std::array<char, 64> room;
  switch (value.kind()) {
    case json::kind::string: return std::string(value.get_string());
    case json::kind::int64: return std::to_string(value.get_int64());
    case json::kind::uint64: return std::to_string(value.get_uint64());
    case json::kind::double_: return std::string(render_number(value.get_double(), room));
    case json::kind::bool_: return value.get_bool() ? "true" : "false";
    case json::kind::null:
    case json::kind::array:
    case json::kind::object: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string> scalar_text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? scalar_text(*value) : std::nullopt;
}

std::string_view text_or(const json::object& object, std::string_view name, std::string_view otherwise) {
  const auto* value = object.if_contains(name);
  const auto* text = value ? value->if_string() : nullptr;
  return text ? std::string_view(*text) : otherwise;
}

std::optional<std::int64_t> time_ms(const json::value& value) {
  if (const auto* text = value.if_string()) return relay::parse_timestamp(*text);
  if (!value.is_number()) return std::nullopt;
  return time_of_seconds(value.to_number<double>());
}

std::optional<double> number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return std::nullopt;
  if (value->is_number()) return value->to_number<double>();
  const auto* text = value->if_string();
  if (!text || text->empty() || text->size() > 40) return std::nullopt;
  double number = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
  if (read.ec != std::errc() || read.ptr != text->data() + text->size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<bool> flag_of(const json::value& value) {
  if (const auto* flag = value.if_bool()) return *flag;
  if (const auto* text = value.if_string()) {
    if (*text == "true" || *text == "1") return true;
    if (*text == "false" || *text == "0") return false;
    return std::nullopt;
  }
  if (value.is_number()) {
    const auto number = value.to_number<double>();
    // As the digest reads whole numbers: 0.5 is 0.
    if (!value.is_int64() && !(std::abs(number) < 9e15)) return std::nullopt;
    return std::trunc(number) != 0;
  }
  return std::nullopt;
}

Place::Place(const Place& parent, std::size_t index) : parent_(&parent) {
  const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), index).ptr;
  key_ = {digits_.data(), static_cast<std::size_t>(end - digits_.data())};
}

std::string Place::name() const {
  if (!parent_) return {};
  auto name = parent_->name();
  if (!name.empty()) name += '.';
  return name.append(first_characters(key_, 100));
}

}  // namespace picket::digest

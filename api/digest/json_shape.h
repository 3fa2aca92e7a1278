// Reading JSON whose shape is not to be trusted: each function gives what is usable and leaves out
// the rest. The only header that shows simdjson to the files that read payloads.
//
// THREADS  Views of texts live until the parser reads its next document.
#pragma once

#include "api/digest/text.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace picket::digest {

using JsonElement = simdjson::dom::element;
using JsonObject = simdjson::dom::object;
using JsonArray = simdjson::dom::array;
using JsonType = simdjson::dom::element_type;

// What parse_json() gives must not outlive the next call on the same thread.
// Repairs what is not quite JSON and says so in `repaired`; nothing when it cannot be read at all.
std::optional<JsonElement> parse_json(std::string_view json, bool& repaired);

// The object itself, or the first object of an array.
inline std::optional<JsonObject> object_of(JsonElement element) {
  JsonObject object;
  if (element.get(object) == simdjson::SUCCESS) return object;
  JsonArray array;
  if (element.get(array) != simdjson::SUCCESS) return std::nullopt;
  for (const auto entry : array) {
    if (entry.get(object) == simdjson::SUCCESS) return object;
  }
  return std::nullopt;
}

// Of members with the same name the last one counts.
inline std::optional<JsonElement> member_of(JsonObject object, std::string_view name) {
  std::optional<JsonElement> found;
  for (const auto [key, value] : object) {
    if (key == name) found = value;
  }
  return found;
}

// The number as JSON would have it: "7" for 7.0, as few digits as name it else.
std::string_view render_number(double number, std::array<char, 64>& room);

// The text, or the number or boolean as text; "" for anything else.
std::string_view text_of(JsonElement element, TextArena& arena, Length length);

// Whole milliseconds of a number of seconds or of a date; nothing when neither.
std::optional<std::int64_t> time_of(JsonElement element);

std::optional<std::int64_t> time_of_seconds(double seconds);

std::optional<std::int64_t> number_of(JsonElement element);
std::optional<bool> flag_of(JsonElement element);

// Calls `each` with the entries of an array, of an object's "values" (an array or an object), or
// with the object itself when it has none; for at most `most` entries.
template <class Each>
void for_each_value(JsonElement element, std::size_t most, Each each) {
  JsonObject object;
  if (element.get(object) == simdjson::SUCCESS) {
    if (const auto values = member_of(object, "values")) {
      JsonArray listed;
      if (values->get(listed) == simdjson::SUCCESS) return for_each_value(*values, most, each);
      if (values->is_object()) each(*values);
      return;
    }
    each(element);
    return;
  }
  JsonArray array;
  if (element.get(array) != simdjson::SUCCESS) return;
  for (const auto entry : array) {
    if (most-- == 0) return;
    if (!entry.is_null()) each(entry);
  }
}

}  // namespace picket::digest

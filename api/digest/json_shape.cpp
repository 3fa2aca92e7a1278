#include "api/digest/json_shape.h"

#include "relay/protocol/envelope.h"
#include "relay/protocol/json_repair.h"

#include <cmath>
#include <memory>

namespace picket::digest {
namespace {

constexpr std::size_t kept_capacity = std::size_t{1} << 20;

// Reads with the parser of this thread, whose buffers are kept between payloads of usual size.
simdjson::dom::parser& parser_for(std::size_t bytes) {
  thread_local auto parser = std::make_unique<simdjson::dom::parser>();
  if (parser->capacity() > kept_capacity && bytes <= kept_capacity) {
    parser = std::make_unique<simdjson::dom::parser>();
  }
  return *parser;
}

std::optional<JsonElement> strict(std::string_view json, simdjson::error_code& error) {
  error = simdjson::EMPTY;
  if (json.empty()) return std::nullopt;  // simdjson would copy from nowhere
  auto& parser = parser_for(json.size());
  JsonElement root;
  error = parser.parse(json.data(), json.size()).get(root);
  if (error == simdjson::DEPTH_ERROR) {
    // Nested deeper than the usual 1,024: no deeper than it has bytes.
    error = parser.allocate(json.size(), json.size());
    if (error == simdjson::SUCCESS) error = parser.parse(json.data(), json.size()).get(root);
  }
  if (error != simdjson::SUCCESS) return std::nullopt;
  return root;
}

}  // namespace

std::string_view render_number(double number, std::array<char, 64>& room) {
  const bool whole = std::floor(number) == number && std::abs(number) < 1e15;
  const auto end = whole ? std::to_chars(room.data(), room.data() + room.size(),
                                         static_cast<std::int64_t>(number))
                               .ptr
                         : std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

std::optional<JsonElement> parse_json(std::string_view json, bool& repaired) {
  simdjson::error_code error = simdjson::SUCCESS;
  auto root = strict(json, error);
  if (root || error == simdjson::EMPTY || error == simdjson::CAPACITY) return root;
  // The root's texts are in the parser, so the repaired bytes may go.
  const auto better = relay::repair_json(json);
  repaired = true;
  return strict(better, error);
}

std::string_view text_of(JsonElement element, TextArena& arena, Length length) {
  std::array<char, 64> room;
  switch (element.type()) {
    case JsonType::STRING: return arena.keep(element.get_string().value_unsafe(), length);
    case JsonType::BOOL: return element.get_bool().value_unsafe() ? "true" : "false";
    case JsonType::DOUBLE:
      return arena.keep(render_number(element.get_double().value_unsafe(), room), length);
    case JsonType::INT64:
    case JsonType::UINT64: {
      const bool small = element.type() == JsonType::INT64;
      const auto end = small ? std::to_chars(room.data(), room.data() + room.size(),
                                             element.get_int64().value_unsafe())
                             : std::to_chars(room.data(), room.data() + room.size(),
                                             element.get_uint64().value_unsafe());
      return arena.keep({room.data(), static_cast<std::size_t>(end.ptr - room.data())}, length);
    }
    case JsonType::ARRAY:
    case JsonType::OBJECT:
    case JsonType::NULL_VALUE: return {};
  }
  return {};
}

std::optional<std::int64_t> time_of(JsonElement element) {
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) return relay::parse_timestamp(text);
  double seconds = 0;
  if (element.get(seconds) != simdjson::SUCCESS) return std::nullopt;
  return time_of_seconds(seconds);
}

std::optional<std::int64_t> time_of_seconds(double seconds) {
  if (!(std::abs(seconds) < 1e13)) return std::nullopt;
  // Beyond the year 5138 as seconds it can only be meant as milliseconds.
  if (std::abs(seconds) > 1e11) return static_cast<std::int64_t>(seconds);
  return std::llround(seconds * 1000);
}

std::optional<std::int64_t> number_of(JsonElement element) {
  std::int64_t number = 0;
  if (element.get(number) == simdjson::SUCCESS) return number;
  double real = 0;
  if (element.get(real) == simdjson::SUCCESS && std::abs(real) < 9e15)
    return static_cast<std::int64_t>(real);
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> flag_of(JsonElement element) {
  bool flag = false;
  if (element.get(flag) == simdjson::SUCCESS) return flag;
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::nullopt;
  }
  if (const auto number = number_of(element)) return *number != 0;
  return std::nullopt;
}

}  // namespace picket::digest

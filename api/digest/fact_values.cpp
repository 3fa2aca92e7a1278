#include "api/digest/fact_values.h"

#include "api/digest/parsed_batch.h"
#include "relay/protocol/hex.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace picket::digest {
namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;

struct Renamed {
  std::string_view from;
  std::string_view to;
};
constexpr std::array<Renamed, 26> renamed = {{
    {"sentry.op", "span.op"},
    {"sentry.description", "span.description"},
    {"sentry.name", "span.name"},
    {"sentry.category", "span.category"},
    {"sentry.domain", "span.domain"},
    {"sentry.status", "span.status"},
    {"sentry.action", "span.action"},
    {"sentry.exclusive_time", "span.self_time"},
    {"sentry.release", "release"},
    {"sentry.environment", "environment"},
    {"sentry.dist", "dist"},
    {"sentry.platform", "platform"},
    {"sentry.sdk.name", "sdk.name"},
    {"sentry.sdk.version", "sdk.version"},
    {"sentry.transaction", "transaction"},
    {"sentry.segment.name", "transaction"},
    {"sentry.origin", "origin"},
    {"sentry.user", "user"},
    {"sentry.user.id", "user.id"},
    {"sentry.user.email", "user.email"},
    {"sentry.user.ip", "user.ip"},
    {"sentry.user.username", "user.username"},
    {"sentry.message.template", "message.template"},
    {"sentry.trace.parent_span_id", "span_id"},
    {"sentry.replay_id", "replay.id"},
    {"sentry.normalized_description", "sentry.normalized_description"},
}};

void append_json(std::string& out, JsonElement element, int depth) {
  if (depth > 4) {
    out += "null";
    return;
  }
  TextArena arena(256);
  switch (element.type()) {
    case JsonType::STRING: return append_json_text(out, element.get_string().value_unsafe());
    case JsonType::ARRAY: {
      out += '[';
      bool first = true;
      const auto list = element.get_array().value_unsafe();
      for (const auto each : list) {
        if (!first) out += ',';
        first = false;
        append_json(out, each, depth + 1);
      }
      out += ']';
      return;
    }
    case JsonType::OBJECT:
    case JsonType::NULL_VALUE: out += "null"; return;
    default: out += text_of(element, arena, {64, 0});
  }
}

// A number that an SDK sent as text under a numeric type.
void add_typed(facts::FactRows& rows, std::string_view name, JsonElement value, std::string_view type) {
  if (value.is_string() && (type == "integer" || type == "double")) {
    if (type == "integer") {
      if (const auto whole = number_of(value)) return rows.integer(name, *whole);
    } else if (const auto real = real_of(value)) {
      return rows.number(name, *real);
    }
  }
  if (type == "double") {
    if (const auto real = real_of(value)) return rows.number(name, *real);
  }
  add_value(rows, name, value);
}

}  // namespace

std::optional<JsonElement> known_member_of(JsonObject object, std::string_view name) {
  const auto member = member_of(object, name);
  return member && !member->is_null() ? member : std::nullopt;
}

std::optional<JsonObject> object_member_of(JsonObject object, std::string_view name) {
  JsonObject found;
  if (object[name].get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

std::string_view string_member(JsonObject object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::optional<double> real_of(JsonElement element) {
  double real = 0;
  if (element.get(real) == simdjson::SUCCESS) return real;
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS || text.empty()) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), real);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return real;
}

std::optional<std::int64_t> time_ns_of(JsonElement element) {
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) {
    const auto ms = relay::parse_timestamp(text);
    if (!ms || std::abs(*ms) > 9'000'000'000'000) return std::nullopt;
    std::int64_t finer = 0;
    if (const auto dot = text.find('.'); dot != std::string_view::npos) {
      std::int64_t unit = 100'000'000;
      for (auto i = dot + 1; i < text.size() && unit > 0; ++i, unit /= 10) {
        if (text[i] < '0' || text[i] > '9') break;
        if (unit < ns_per_ms) finer += unit * (text[i] - '0');
      }
    }
    return *ms * ns_per_ms + finer;
  }
  double seconds = 0;
  if (element.get(seconds) != simdjson::SUCCESS || !(std::abs(seconds) < 1e13)) return std::nullopt;
  if (std::abs(seconds) > 1e11) seconds /= 1000;  // it can only be meant as milliseconds
  if (std::abs(seconds) > 9e9) return std::nullopt;
  return std::llround(seconds * 1e6) * 1000;
}

std::optional<std::int64_t> time_ns_member(JsonObject object, std::string_view name) {
  const auto element = known_member_of(object, name);
  return element ? time_ns_of(*element) : std::nullopt;
}

std::string raw_id(std::string_view text) {
  std::string raw;
  if (text.size() > 36) return raw;
  std::optional<unsigned> high;
  for (const char c : text) {
    if (c == '-') continue;
    const auto digit = relay::hex_digit(c);
    if (!digit) return {};
    if (high) {
      raw += static_cast<char>(*high << 4 | *digit);
      high.reset();
    } else {
      high = digit;
    }
  }
  if (high || (raw.size() != 8 && raw.size() != 16)) return {};
  if (raw.find_first_not_of('\0') == std::string::npos) return {};
  return raw;
}

std::string raw_id_member(JsonObject object, std::string_view name) {
  return raw_id(string_member(object, name));
}

std::int64_t shift_ns(const FactContext& context, std::int64_t end_ns) {
  const auto end_ms = end_ns / ns_per_ms;
  return (corrected_timestamp(end_ms, context.sent_at_ms, context.received_ms, context.max_age) -
          end_ms) *
         ns_per_ms;
}

double duration_ms(std::int64_t start_ns, std::int64_t end_ns) {
  if (end_ns <= start_ns) return 0;
  return static_cast<double>((end_ns - start_ns + 500) / 1000) / 1000.0;
}

void add_value(facts::FactRows& rows, std::string_view name, JsonElement value) {
  switch (value.type()) {
    case JsonType::STRING: return rows.text(name, value.get_string().value_unsafe());
    case JsonType::BOOL: return rows.boolean(name, value.get_bool().value_unsafe());
    case JsonType::DOUBLE: return rows.number(name, value.get_double().value_unsafe());
    case JsonType::INT64: return rows.integer(name, value.get_int64().value_unsafe());
    case JsonType::UINT64:
      return rows.number(name, static_cast<double>(value.get_uint64().value_unsafe()));
    case JsonType::ARRAY: {
      std::string json;
      append_json(json, value, 0);
      return rows.array(name, json);
    }
    case JsonType::OBJECT:
    case JsonType::NULL_VALUE: return;
  }
}

void add_attributes(facts::FactRows& rows, JsonObject attributes) {
  std::size_t looked_at = 0;
  for (const auto [key, attribute] : attributes) {
    if (++looked_at > 2 * facts::most_attributes) return;
    const auto name = public_name(key);
    JsonObject typed;
    if (attribute.get(typed) != simdjson::SUCCESS) {
      add_value(rows, name, attribute);
      continue;
    }
    if (const auto value = known_member_of(typed, "value"))
      add_typed(rows, name, *value, string_member(typed, "type"));
  }
}

void add_tags(facts::FactRows& rows, JsonElement tags) {
  TextArena arena(256);
  const auto add = [&](std::string_view key, JsonElement value) {
    const auto text = text_of(value, arena, {200, 0});
    if (!text.empty()) rows.text(key, text);
  };
  JsonObject object;
  std::size_t left = facts::most_attributes;
  if (tags.get(object) == simdjson::SUCCESS) {
    for (const auto [key, value] : object) {
      if (left-- == 0) return;
      add(key, value);
    }
    return;
  }
  JsonArray list;
  if (tags.get(list) != simdjson::SUCCESS) return;
  for (const auto entry : list) {
    if (left-- == 0) return;
    JsonArray pair;
    std::string_view key;
    JsonElement value;
    if (entry.get(pair) == simdjson::SUCCESS && pair.at(0).get(key) == simdjson::SUCCESS &&
        pair.at(1).get(value) == simdjson::SUCCESS)
      add(key, value);
  }
}

void add_measurements(facts::FactRows& rows, JsonElement measurements) {
  JsonObject object;
  if (measurements.get(object) != simdjson::SUCCESS) return;
  std::size_t left = facts::most_attributes;
  for (const auto [key, measurement] : object) {
    if (left-- == 0) return;
    JsonObject with_unit;
    std::optional<double> value;
    if (measurement.get(with_unit) == simdjson::SUCCESS) {
      if (const auto given = known_member_of(with_unit, "value")) value = real_of(*given);
    } else {
      value = real_of(measurement);
    }
    if (value) rows.number("measurements." + std::string(key), *value);
  }
}

std::string_view public_name(std::string_view attribute) {
  if (!attribute.starts_with("sentry.")) return attribute;
  for (const auto& [from, to] : renamed) {
    if (attribute == from) return to;
  }
  return attribute;
}

}  // namespace picket::digest

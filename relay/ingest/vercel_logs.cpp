#include "relay/ingest/vercel_logs.h"

#include "relay/ingest/body_format.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/telemetry_writer.h"
#include "relay/protocol/hex.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t most_lines = 100'000;

// "statusCode" → "status_code"
void append_snake_case(std::string& out, std::string_view name) {
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += '_';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
}

std::string find_hex(const object& json,
                     std::string_view name,
                     std::string_view dotted,
                     std::size_t digits) {
  std::string_view text;
  if (json[name].get_string().get(text) != simdjson::SUCCESS &&
      json[dotted].get_string().get(text) != simdjson::SUCCESS)
    return {};
  const bool hex = text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
                     return relay::hex_digit(c).has_value();
                   });
  return hex ? std::string(text) : std::string();
}

bool is_flat(element value) {
  simdjson::dom::array entries;
  if (value.get(entries) != simdjson::SUCCESS) return false;
  for (const auto entry : entries) {
    if (entry.is_array() || entry.is_object()) return false;
  }
  return true;
}

// Attributes are scalars and lists of scalars: what is deeper is kept as its JSON.
void add_value(const std::string& name, element value, AttributeWriter& attributes) {
  std::string_view text;
  std::int64_t whole = 0;
  double number = 0;
  bool flag = false;
  if (value.get(text) == simdjson::SUCCESS) {
    attributes.add(name, text);
  } else if (value.get(whole) == simdjson::SUCCESS) {
    attributes.add_integer(name, whole);
  } else if (value.get(number) == simdjson::SUCCESS) {
    attributes.add_double(name, number);
  } else if (value.get(flag) == simdjson::SUCCESS) {
    attributes.add_flag(name, flag);
  } else if (is_flat(value)) {
    attributes.add_raw(name, "array", simdjson::minify(value));
  } else if (!value.is_null()) {
    attributes.add(name, std::string(simdjson::minify(value)));
  }
}

void add_field(std::string_view key, element value, AttributeWriter& attributes) {
  if (key == "host") return add_value("server.address", value, attributes);
  if (key == "environment") return add_value("sentry.environment", value, attributes);
  if (key == "type") return add_value("vercel.log_type", value, attributes);
  std::string name = "vercel.";
  append_snake_case(name, key);
  object nested;
  if (value.get(nested) != simdjson::SUCCESS) return add_value(name, value, attributes);
  for (const auto [part, inner] : nested) {
    auto nested_name = name + ".";
    append_snake_case(nested_name, part);
    add_value(nested_name, inner, attributes);
  }
}

struct Level {
  std::string_view name;
  std::string_view level;
  std::uint32_t severity;
};
constexpr std::array<Level, 6> levels{{{"debug", "debug", 5},
                                       {"info", "info", 9},
                                       {"warning", "warn", 13},
                                       {"warn", "warn", 13},
                                       {"error", "error", 17},
                                       {"fatal", "fatal", 21}}};

std::optional<std::string> render_line(std::string_view json, Time now) {
  thread_local simdjson::dom::parser parser;
  object fields;
  if (parser.parse(json.data(), json.size()).get_object().get(fields) != simdjson::SUCCESS)
    return std::nullopt;
  LogLine line;
  line.timestamp_ns = static_cast<std::uint64_t>(to_ms(now)) * 1'000'000;
  line.trace_id = find_hex(fields, "traceId", "trace.id", 32);
  line.span_id = find_hex(fields, "spanId", "span.id", 16);
  AttributeWriter attributes;
  attributes.add("sentry.origin", "auto.log_drain.vercel");
  constexpr std::uint64_t last_ms = 253'402'300'799'999;  // of the year 9999
  for (const auto [key, value] : fields) {
    std::string_view text;
    std::uint64_t ms = 0;
    if (key == "timestamp" && value.get(ms) == simdjson::SUCCESS && ms <= last_ms) {
      line.timestamp_ns = ms * 1'000'000;
    } else if (key == "message" && value.get(text) == simdjson::SUCCESS) {
      line.body = text;
    } else if (key == "level" && value.get(text) == simdjson::SUCCESS) {
      const auto* known = std::find_if(levels.begin(), levels.end(),
                                       [&](const Level& level) { return level.name == text; });
      if (known == levels.end()) continue;
      line.level = known->level;
      line.severity = known->severity;
    } else if (key != "traceId" && key != "spanId" && key != "trace.id" && key != "span.id") {
      add_field(key, value, attributes);
    }
  }
  return render_log(line, std::move(attributes));
}

}  // namespace

std::variant<Converted, Refusal> convert_vercel_logs(const Inbound& inbound) {
  const auto first = inbound.body.find_first_not_of(" \t\r\n");
  const bool array = first != std::string_view::npos && inbound.body[first] == '[';
  const auto lines = array ? split_objects(inbound.body, most_lines)
                           : split_lines(inbound.body, most_lines);
  if (!lines) {
    if (lines.error().fault == Fault::too_large)
      return make_refusal(413, "payload too large", lines.error().detail, "too_large:log");
    return make_refusal(400, "invalid JSON data", lines.error().detail, "invalid_json");
  }
  EnvelopeWriter envelope;
  ContainerWriter logs(envelope, "log", most_logs_per_item);
  std::uint64_t unusable = 0;
  for (const auto line : *lines) {
    const auto log = render_line(line, inbound.now);
    log ? logs.add(*log) : static_cast<void>(++unusable);
  }
  logs.finish();
  if (logs.count() == 0 && unusable > 0)
    return make_refusal(400, "invalid JSON data", "no line is a JSON object", "invalid_json");
  Converted converted;
  if (unusable > 0) {
    converted.dropped.push_back(
        {{relay::DataCategory::log_item, unusable}, relay::Outcome::invalid, "invalid_json"});
  }
  converted.envelope = envelope.take();
  converted.answer = empty_reply(202);
  return converted;
}

}  // namespace picket::ingest

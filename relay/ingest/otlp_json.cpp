#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/otlp.h"
#include "relay/ingest/telemetry_writer.h"
#include "relay/protocol/hex.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace picket::ingest::otlp {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string_view text_of(element value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? text : std::string_view();
}

// 64-bit numbers are strings in protobuf's JSON; plain numbers are taken too.
std::uint64_t number_of(element value) {
  std::uint64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS) return number;
  const auto text = text_of(value);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::uint32_t small_number_of(element value) {
  return static_cast<std::uint32_t>(number_of(value));
}

std::string id_of(element value, std::size_t bytes) {
  const auto text = text_of(value);
  std::string id;
  if (text.size() != 2 * bytes || text.find_first_not_of('0') == std::string_view::npos) return id;
  for (const char c : text) {
    const auto digit = relay::hex_digit(c);
    if (!digit) return {};
    id += "0123456789abcdef"[*digit];
  }
  return id;
}

// Calls `each` with the entries of an array; nothing when it is none.
template <class Each>
void for_each(element value, Each each) {
  array entries;
  if (value.get(entries) != simdjson::SUCCESS) return;
  for (const auto entry : entries)
    each(entry);
}

template <class Each>
void for_each_member(element value, Each each) {
  object members;
  if (value.get(members) != simdjson::SUCCESS) return;
  for (const auto [key, member] : members)
    each(key, member);
}

Value read_value(element json, std::size_t depth);

void append_value(element json, std::size_t depth, std::string& out) {
  const auto value = read_value(json, depth);
  if (value.kind == Value::Kind::none) out += "null";
  out += value.kind == Value::Kind::text ? json_text(value.text) : value.text;
}

// arrayValue and kvlistValue: {"values": […]}
Value read_list(element json, std::size_t depth, bool map) {
  std::string out(1, map ? '{' : '[');
  for_each_member(json, [&](std::string_view name, element values) {
    if (name != "values" || depth == max_depth) return;
    for_each(values, [&](element entry) {
      if (out.size() > max_value_bytes) return;
      if (!map) {
        if (out.size() > 1) out += ',';
        return append_value(entry, depth + 1, out);
      }
      std::string_view key;
      element value;
      if (entry["key"].get(key) != simdjson::SUCCESS) return;
      if (out.size() > 1) out += ',';
      out.append(json_text(key)).append(":");
      entry["value"].get(value) == simdjson::SUCCESS ? append_value(value, depth + 1, out)
                                                     : static_cast<void>(out += "null");
    });
  });
  return {Value::Kind::json, std::move(out) + (map ? '}' : ']')};
}

Value read_integer(element json) {
  std::int64_t number = 0;
  if (json.get(number) == simdjson::SUCCESS)
    return {Value::Kind::integer, std::to_string(number)};
  const auto text = text_of(json);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return {Value::Kind::integer, std::to_string(number)};
}

Value read_value(element json, std::size_t depth) {
  Value value;
  for_each_member(json, [&](std::string_view name, element inner) {
    bool flag = false;
    double number = 0;
    if (name == "stringValue" || name == "bytesValue") {
      value = {Value::Kind::text, std::string(text_of(inner))};
    } else if (name == "boolValue" && inner.get(flag) == simdjson::SUCCESS) {
      value = {Value::Kind::flag, flag ? "true" : "false"};
    } else if (name == "intValue") {
      value = read_integer(inner);
    } else if (name == "doubleValue" && inner.get(number) == simdjson::SUCCESS) {
      value = {Value::Kind::number, json_number(number)};
    } else if (name == "arrayValue" || name == "kvlistValue") {
      value = read_list(inner, depth, name == "kvlistValue");
    }
  });
  return value;
}

Attributes read_attributes(element json) {
  Attributes attributes;
  for_each(json, [&](element entry) {
    std::string_view key;
    element value;
    if (attributes.size() == max_attributes || entry["key"].get(key) != simdjson::SUCCESS ||
        key.empty())
      return;
    auto& attribute = attributes.emplace_back();
    attribute.key = key;
    if (entry["value"].get(value) == simdjson::SUCCESS) attribute.value = read_value(value, 0);
  });
  return attributes;
}

void read_events(element json, Span& span) {
  for_each(json, [&](element entry) {
    if (span.events.size() == max_events) return;
    auto& event = span.events.emplace_back();
    for_each_member(entry, [&](std::string_view name, element value) {
      if (name == "timeUnixNano") event.time_ns = number_of(value);
      if (name == "name") event.name = text_of(value);
      if (name == "attributes") event.attributes = read_attributes(value);
    });
  });
}

void read_links(element json, Span& span) {
  for_each(json, [&](element entry) {
    if (span.links.size() == max_events) return;
    auto& link = span.links.emplace_back();
    for_each_member(entry, [&](std::string_view name, element value) {
      if (name == "traceId") link.trace_id = id_of(value, 16);
      if (name == "spanId") link.span_id = id_of(value, 8);
      if (name == "flags") link.flags = small_number_of(value);
      if (name == "attributes") link.attributes = read_attributes(value);
    });
  });
}

void read_span_field(std::string_view name, element value, Span& span) {
  if (name == "traceId")
    span.trace_id = id_of(value, 16);
  else if (name == "spanId")
    span.span_id = id_of(value, 8);
  else if (name == "parentSpanId")
    span.parent_span_id = id_of(value, 8);
  else if (name == "traceState")
    span.trace_state = text_of(value);
  else if (name == "name")
    span.name = text_of(value);
  else if (name == "kind")
    span.kind = small_number_of(value);
  else if (name == "startTimeUnixNano")
    span.start_ns = number_of(value);
  else if (name == "endTimeUnixNano")
    span.end_ns = number_of(value);
  else if (name == "attributes")
    span.attributes = read_attributes(value);
  else if (name == "events")
    read_events(value, span);
  else if (name == "links")
    read_links(value, span);
  else if (name == "flags")
    span.flags = small_number_of(value);
}

Span read_span(element json) {
  Span span;
  for_each_member(json, [&](std::string_view name, element value) {
    if (name != "status") return read_span_field(name, value, span);
    for_each_member(value, [&](std::string_view part, element inner) {
      if (part == "code") span.status = small_number_of(inner);
      if (part == "message") span.status_message = text_of(inner);
    });
  });
  return span;
}

Log read_log(element json) {
  Log log;
  for_each_member(json, [&](std::string_view name, element value) {
    if (name == "timeUnixNano")
      log.time_ns = number_of(value);
    else if (name == "observedTimeUnixNano")
      log.observed_ns = number_of(value);
    else if (name == "severityNumber")
      log.severity = small_number_of(value);
    else if (name == "severityText")
      log.severity_text = text_of(value);
    else if (name == "body")
      log.body = read_value(value, 0);
    else if (name == "attributes")
      log.attributes = read_attributes(value);
    else if (name == "traceId")
      log.trace_id = id_of(value, 16);
    else if (name == "spanId")
      log.span_id = id_of(value, 8);
    else if (name == "eventName")
      log.event_name = text_of(value);
  });
  return log;
}

Scope read_scope(element json) {
  Scope scope;
  for_each_member(json, [&](std::string_view name, element value) {
    if (name == "name") scope.name = text_of(value);
    if (name == "version") scope.version = text_of(value);
    if (name == "attributes") scope.attributes = read_attributes(value);
  });
  return scope;
}

// The member of an object; nothing when it is none or has none.
std::optional<element> member(element json, std::string_view name) {
  element value;
  object members;
  if (json.get(members) != simdjson::SUCCESS || members[name].get(value) != simdjson::SUCCESS)
    return std::nullopt;
  return value;
}

void read_scoped(element json, const Attributes& resource, const Sink& sink, bool& on) {
  const auto described = member(json, "scope");
  const auto scope = described ? read_scope(*described) : Scope();
  const auto entries = member(json, sink.on_span ? "spans" : "logRecords");
  if (!entries) return;
  for_each(*entries, [&](element entry) {
    if (!on || !entry.is_object()) return;
    on = sink.on_span ? sink.on_span(resource, scope, read_span(entry))
                      : sink.on_log(resource, scope, read_log(entry));
  });
}

}  // namespace

Result<void> read_json(std::string_view bytes, const Sink& sink) {
  simdjson::dom::parser parser;
  element document;
  if (const auto error = parser.parse(bytes.data(), bytes.size()).get(document);
      error != simdjson::SUCCESS)
    return Error{Fault::malformed, simdjson::error_message(error)};
  if (!document.is_object()) return Error{Fault::malformed, "the body is not a JSON object"};
  const auto resources = member(document, sink.on_span ? "resourceSpans" : "resourceLogs");
  if (!resources) return {};
  bool on = true;
  for_each(*resources, [&](element entry) {
    const auto described = member(entry, "resource");
    const auto attributes = described ? member(*described, "attributes") : std::nullopt;
    const auto resource = attributes ? read_attributes(*attributes) : Attributes();
    const auto scopes = member(entry, sink.on_span ? "scopeSpans" : "scopeLogs");
    if (scopes) for_each(*scopes, [&](element scoped) { read_scoped(scoped, resource, sink, on); });
  });
  return {};
}

}  // namespace picket::ingest::otlp

// Logs, trace metrics and error events as facts.
#include "api/digest/fact_values.h"

namespace picket::digest {
namespace {

using facts::Dataset;
using facts::FactRows;

constexpr std::int64_t ns_per_ms = 1'000'000;

template <class Add>
ContainerRead each_of(JsonElement payload, Add add) {
  ContainerRead read;
  JsonObject object;
  JsonArray items;
  if (payload.get(object) != simdjson::SUCCESS) return {0, 1};
  if (object["items"].get(items) != simdjson::SUCCESS) {
    const bool added = add(object, 0U);  // one without a container
    return added ? ContainerRead{1, 0} : ContainerRead{0, 1};
  }
  std::uint32_t index = 0;
  for (const auto entry : items) {
    JsonObject one;
    const bool added = entry.get(one) == simdjson::SUCCESS && add(one, index);
    ++index;
    ++(added ? read.accepted : read.invalid);
  }
  return read;
}

struct Severity {
  std::string_view name;
  std::int64_t number;
};
constexpr Severity severities[] = {{"trace", 1}, {"debug", 5}, {"info", 9},
                                   {"warn", 13}, {"error", 17}, {"fatal", 21}};

bool add_log(JsonObject log, std::uint32_t index, const FactContext& context, FactRows& rows) {
  const auto body = known_member_of(log, "body");
  if (!body) return false;
  const auto at = time_ns_member(log, "timestamp").value_or(context.received_ms * ns_per_ms);
  rows.begin(Dataset::logs, context.project, {context.sequence, context.item, index},
             at + shift_ns(context, at));
  rows.id("trace", raw_id_member(log, "trace_id"));
  rows.id("span_id", raw_id_member(log, "span_id"));
  TextArena arena(256);
  rows.text("message", text_of(*body, arena, {facts::most_text_bytes, 0}));
  auto level = string_member(log, "level");
  const auto given = known_member_of(log, "severity_number");
  auto number = given ? number_of(*given) : std::nullopt;
  if (level.empty()) {
    level = "info";
    for (const auto& known : severities) {
      if (number && *number >= known.number) level = known.name;
    }
  }
  for (const auto& known : severities) {
    if (!number && level == known.name) number = known.number;
  }
  rows.text("severity", level);
  if (number) rows.integer("severity_number", *number);
  if (const auto attributes = object_member_of(log, "attributes")) add_attributes(rows, *attributes);
  return true;
}

bool add_metric(JsonObject metric, std::uint32_t index, const FactContext& context, FactRows& rows) {
  const auto name = string_member(metric, "name");
  const auto value = known_member_of(metric, "value");
  const auto real = value ? real_of(*value) : std::nullopt;
  if (name.empty() || !real) return false;
  const auto at = time_ns_member(metric, "timestamp").value_or(context.received_ms * ns_per_ms);
  rows.begin(Dataset::metrics, context.project, {context.sequence, context.item, index},
             at + shift_ns(context, at));
  rows.id("trace", raw_id_member(metric, "trace_id"));
  rows.id("span_id", raw_id_member(metric, "span_id"));
  rows.text("metric.name", name);
  const auto type = string_member(metric, "type");
  rows.text("metric.type", type.empty() ? "counter" : type);
  if (const auto unit = string_member(metric, "unit"); !unit.empty()) rows.text("metric.unit", unit);
  rows.number("value", *real);
  if (const auto attributes = object_member_of(metric, "attributes"))
    add_attributes(rows, *attributes);
  return true;
}

void add_exceptions(const Event& event, FactRows& rows) {
  if (event.exceptions.empty()) return;
  std::string types = "[";
  std::string values = "[";
  for (const auto& exception : event.exceptions) {
    if (types.size() > 1) {
      types += ',';
      values += ',';
    }
    append_json_text(types, exception.type);
    append_json_text(values, first_characters(exception.value, 200));
  }
  rows.array("error.type", types + "]");
  rows.array("error.value", values + "]");
  const auto& last = event.exceptions.back();
  if (!last.mechanism.empty()) rows.text("error.mechanism", last.mechanism);
  if (const auto handled = event.handled()) {
    rows.boolean("error.handled", *handled);
    rows.boolean("error.unhandled", !*handled);
  }
}

}  // namespace

ContainerRead read_log_facts(JsonElement payload, const FactContext& context, FactRows& rows) {
  return each_of(payload, [&](JsonObject log, std::uint32_t index) {
    return add_log(log, index, context, rows);
  });
}

ContainerRead read_metric_facts(JsonElement payload, const FactContext& context, FactRows& rows) {
  return each_of(payload, [&](JsonObject metric, std::uint32_t index) {
    return add_metric(metric, index, context, rows);
  });
}

void add_error_fact(const Event& event,
                    std::span<const Tag> tags,
                    const ErrorFact& what,
                    const FactContext& context,
                    FactRows& rows) {
  rows.begin(Dataset::errors, context.project, {context.sequence, context.item, 0},
             what.timestamp_ms * ns_per_ms, what.event);
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) rows.text(name, value);
  };
  rows.id("id", relay::raw_bytes(what.id));
  rows.id("trace", event.trace_id);
  rows.id("trace.span", event.span_id);
  rows.integer("issue.id", 0);  // known when it is written: facts/block.h
  text("title", what.title);
  text("message", event.formatted.empty() ? what.title : first_characters(event.formatted, 1000));
  text("culprit", what.culprit);
  text("event.type", wire_name(event.type));
  text("platform", event.platform.empty() ? "other" : event.platform);
  text("user.id", event.user.id);
  text("user.email", event.user.email);
  text("user.username", event.user.username);
  text("user.ip", event.user.ip);
  text("http.method", event.request_method);
  text("sdk.name", event.sdk_name);
  text("sdk.version", event.sdk_version);
  add_exceptions(event, rows);
  for (const auto& tag : tags) text(tag.key, tag.value);
}

}  // namespace picket::digest

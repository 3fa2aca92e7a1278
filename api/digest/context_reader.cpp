// The contexts of an event's payload.
#include "api/digest/context_names.h"
#include "api/digest/event_reader.h"
#include "api/digest/fact_values.h"
#include "api/digest/normalize_rules.h"

#include <algorithm>

namespace picket::digest {
namespace {

// A name that the SDK did not give may be in "raw_description".
NamedContext read_named(JsonObject json, NamedContext (*described)(std::string_view), Event& event) {
  NamedContext context;
  std::string_view raw;
  for (const auto [key, value] : json) {
    if (key == "name")
      context.name = text_of(value, event.text, {200, 0});
    else if (key == "version")
      context.version = text_of(value, event.text, {100, 0});
    else if (key == "raw_description" && value.get(raw) != simdjson::SUCCESS)
      raw = {};
  }
  if (described == nullptr || raw.empty() || !context.name.empty()) return context;
  const auto read = described(raw);
  if (read.name.empty()) return context;
  return {event.text.keep(read.name, {200, 0}), event.text.keep(read.version, {100, 0})};
}

void read_device(JsonObject json, Event& event) {
  event.device_given = true;
  DevicePower power;
  const auto number = [](JsonElement value) -> std::optional<double> {
    double read = 0;
    return value.get(read) == simdjson::SUCCESS ? std::optional(read) : std::nullopt;
  };
  for (const auto [key, value] : json) {
    if (key == "model")
      event.device.model = text_of(value, event.text, {200, 0});
    else if (key == "family")
      event.device.family = text_of(value, event.text, {200, 0});
    else if (key == "processor_frequency")
      power.frequency = number(value);
    else if (key == "processor_count")
      power.cores = number(value);
    else if (key == "memory_size")
      power.memory = number(value);
  }
  event.device_class = device_class(event.device.family, power);
}

void read_trace(JsonObject json, Event& event) {
  const auto said = member_of(json, "trace_id");
  std::string_view text;
  if (auto span = raw_id_member(json, "span_id"); span.size() == 8)
    event.span_id = event.text.keep(span);
  if (!said || said->get(text) != simdjson::SUCCESS) return;
  if (const auto id = relay::parse_event_id(text))
    event.trace_id = event.text.keep(relay::raw_bytes(*id));
}

void read_feedback(JsonObject context, Event& event) {
  const auto text = [&](std::string_view name, std::size_t most) {
    JsonElement value;
    return context[name].get(value) == simdjson::SUCCESS ? text_of(value, event.text, {most, 0})
                                                         : std::string_view();
  };
  event.feedback_message = text("message", 4096);
  event.feedback_email = text("contact_email", 75);
  event.feedback_name = text("name", 128);
  event.feedback_source = text("source", 64);
  const auto about = relay::parse_event_id(text("associated_event_id", 64));
  if (about) event.feedback_event = event.text.keep(relay::raw_bytes(*about));
}

// {"values": [{"flag": …, "result": …}]}: what is evaluated more than once is what it was last.
void read_flags(JsonObject context, Event& event) {
  constexpr std::size_t most = 100;  // as many as SDKs keep
  constexpr std::size_t most_read = 1'000;
  JsonArray values;
  if (context["values"].get(values) != simdjson::SUCCESS) return;
  std::size_t read = 0;
  for (const auto each : values) {
    JsonObject object;
    if (++read > most_read) return;
    if (each.get(object) != simdjson::SUCCESS) continue;
    const auto flag = member_of(object, "flag");
    const auto result = member_of(object, "result");
    if (!flag || !result || result->is_object() || result->is_array()) continue;
    const auto name = text_of(*flag, event.text, {200, 0});
    const auto value = text_of(*result, event.text, {200, 0});
    if (name.empty() || value.empty()) continue;
    const auto known = std::find_if(event.flags.begin(), event.flags.end(), [&](const Tag& one) { return one.key == name; });
    if (known != event.flags.end()) {
      known->value = value;
    } else if (event.flags.size() < most) {
      event.flags.push_back({name, value});
    }
  }
}

}  // namespace

void read_contexts(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    const auto context = object_of(value);
    if (!context) continue;
    if (key == "browser")
      event.browser = read_named(*context, nullptr, event);
    else if (key == "os")
      event.os = read_named(*context, &named_os, event);
    else if (key == "client_os")
      event.client_os = read_named(*context, &named_os, event);
    else if (key == "runtime")
      event.runtime = read_named(*context, &named_runtime, event);
    else if (key == "device")
      read_device(*context, event);
    else if (key == "trace")
      read_trace(*context, event);
    else if (key == "feedback")
      read_feedback(*context, event);
    else if (key == "flags")
      read_flags(*context, event);
  }
}

}  // namespace picket::digest

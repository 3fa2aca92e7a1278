#include "api/digest/event_reader.h"

#include "api/digest/fact_values.h"
#include "api/digest/message_format.h"

#include <algorithm>

namespace picket::digest {
namespace {

constexpr std::size_t most_tags = 200;
constexpr std::size_t most_fingerprint_parts = 50;

struct TypeName {
  std::string_view name;
  EventType type;
};
constexpr std::array<TypeName, 10> type_names = {{
    {"error", EventType::error},
    {"default", EventType::default_},
    {"transaction", EventType::transaction},
    {"csp", EventType::csp},
    {"hpkp", EventType::hpkp},
    {"expectct", EventType::expect_ct},
    {"expectstaple", EventType::expect_staple},
    {"nel", EventType::nel},
    {"feedback", EventType::feedback},
    {"generic", EventType::generic},
}};

std::optional<EventType> type_named(std::string_view name) {
  for (const auto& known : type_names) {
    if (known.name == name) return known.type;
  }
  return std::nullopt;
}

void add_tag(Event& event, std::string_view key, std::string_view value) {
  if (key.empty() || value.empty() || event.tags.size() >= most_tags) return;
  const bool there =
      std::ranges::any_of(event.tags, [&](const Tag& tag) { return tag.key == key; });
  if (!there) event.tags.push_back({key, value});
}

// {"key": …, "value": …}
void read_tag_object(JsonObject pair, Event& event) {
  JsonElement key;
  JsonElement value;
  if (pair["key"].get(key) != simdjson::SUCCESS || pair["value"].get(value) != simdjson::SUCCESS)
    return;
  add_tag(event, text_of(key, event.text, {200, 0}), text_of(value, event.text, {200, 0}));
}

void read_tags(JsonElement json, Event& event) {
  constexpr Length longest{200, 0};
  JsonObject object;
  if (json.get(object) == simdjson::SUCCESS) {
    for (const auto [key, value] : object) {
      add_tag(event, event.text.keep(key, longest), text_of(value, event.text, longest));
    }
    return;
  }
  JsonArray array;
  if (json.get(array) != simdjson::SUCCESS) return;
  for (const auto entry : array) {
    JsonArray pair;
    if (entry.get(object) == simdjson::SUCCESS) read_tag_object(object, event);
    if (entry.get(pair) != simdjson::SUCCESS) continue;
    JsonElement key;
    JsonElement value;
    if (pair.at(0).get(key) != simdjson::SUCCESS || pair.at(1).get(value) != simdjson::SUCCESS)
      continue;
    add_tag(event, text_of(key, event.text, longest), text_of(value, event.text, longest));
  }
}

void read_fingerprint(JsonElement json, Event& event) {
  JsonArray array;
  if (json.get(array) != simdjson::SUCCESS) {
    if (const auto only = text_of(json, event.text, {8192, 0}); !only.empty())
      event.fingerprint.push_back(only);
    return;
  }
  for (const auto entry : array) {
    if (event.fingerprint.size() == most_fingerprint_parts) return;
    const bool scalar = !entry.is_null() && !entry.is_array() && !entry.is_object();
    if (scalar) event.fingerprint.push_back(text_of(entry, event.text, {8192, 0}));
  }
}

void read_user(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) {
    event.user.id = text_of(json, event.text, {128, 0});
    return;
  }
  for (const auto [key, value] : *object) {
    if (key == "id")
      event.user.id = text_of(value, event.text, {128, 0});
    else if (key == "email")
      event.user.email = text_of(value, event.text, {75, 0});
    else if (key == "username")
      event.user.username = text_of(value, event.text, {128, 0});
    else if (key == "ip_address")
      event.user.ip = text_of(value, event.text, {64, 0});
  }
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

// {"User-Agent": …} or [["User-Agent", …]], the value sometimes a list.
void read_headers(JsonElement json, Event& event) {
  const auto read = [&](std::string_view name, JsonElement value) {
    if (!same_word(name, "User-Agent")) return;
    JsonArray several;
    JsonElement first;
    const bool listed =
        value.get(several) == simdjson::SUCCESS && several.at(0).get(first) == simdjson::SUCCESS;
    event.user_agent = text_of(listed ? first : value, event.text, {512, 0});
  };
  JsonObject object;
  if (json.get(object) == simdjson::SUCCESS) {
    for (const auto [key, value] : object)
      read(key, value);
    return;
  }
  JsonArray array;
  if (json.get(array) != simdjson::SUCCESS) return;
  for (const auto entry : array) {
    JsonArray pair;
    std::string_view name;
    JsonElement value;
    if (entry.get(pair) != simdjson::SUCCESS || pair.at(0).get(name) != simdjson::SUCCESS) continue;
    if (pair.at(1).get(value) == simdjson::SUCCESS) read(name, value);
  }
}

void read_request(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    if (key == "url")
      event.request_url = text_of(value, event.text, {256, 40});
    else if (key == "method")
      event.request_method = text_of(value, event.text, {32, 0});
    else if (key == "headers")
      read_headers(value, event);
  }
}

NamedContext read_named(JsonObject json, Event& event) {
  NamedContext context;
  for (const auto [key, value] : json) {
    if (key == "name")
      context.name = text_of(value, event.text, {200, 0});
    else if (key == "version")
      context.version = text_of(value, event.text, {100, 0});
  }
  return context;
}

void read_device(JsonObject json, Event& event) {
  for (const auto [key, value] : json) {
    if (key == "model")
      event.device_model = text_of(value, event.text, {200, 0});
    else if (key == "family")
      event.device_family = text_of(value, event.text, {200, 0});
  }
}

void read_trace(JsonObject json, Event& event) {
  std::string_view text;
  if (auto span = raw_id_member(json, "span_id"); span.size() == 8)
    event.span_id = event.text.keep(span);
  if (json["trace_id"].get(text) != simdjson::SUCCESS) return;
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

void read_contexts(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    const auto context = object_of(value);
    if (!context) continue;
    if (key == "browser")
      event.browser = read_named(*context, event);
    else if (key == "os")
      event.os = read_named(*context, event);
    else if (key == "client_os")
      event.client_os = read_named(*context, event);
    else if (key == "runtime")
      event.runtime = read_named(*context, event);
    else if (key == "device")
      read_device(*context, event);
    else if (key == "trace")
      read_trace(*context, event);
    else if (key == "feedback")
      read_feedback(*context, event);
  }
}

MessageParams params_of(JsonElement json, Event& event) {
  constexpr std::size_t most = 100;
  constexpr Length longest{2048, 0};
  MessageParams params;
  if (JsonArray array; json.get(array) == simdjson::SUCCESS) {
    for (const auto value : array) {
      if (params.size() < most) params.emplace_back("", text_of(value, event.text, longest));
    }
  } else if (JsonObject object; json.get(object) == simdjson::SUCCESS) {
    for (const auto [key, value] : object) {
      if (params.size() < most) params.emplace_back(key, text_of(value, event.text, longest));
    }
  }
  return params;
}

// {"message": template, "params": …, "formatted": …}, or just the text.
void read_message(JsonElement json, Event& event) {
  constexpr Length longest{8192, 200};
  const auto object = object_of(json);
  if (!object) {
    if (const auto text = text_of(json, event.text, longest);
        !text.empty() && event.message.empty()) {
      event.message = text;
    }
    return;
  }
  MessageParams params;
  for (const auto [key, value] : *object) {
    if (key == "message") {
      event.message = text_of(value, event.text, longest);
    } else if (key == "formatted") {
      event.formatted = text_of(value, event.text, longest);
    } else if (key == "params") {
      event.has_params = value.is_array() || value.is_object();
      params = params_of(value, event);
    }
  }
  if (event.formatted.empty() && !params.empty()) {
    event.formatted = event.text.keep(format_message(event.message, params), longest);
  }
}

void read_csp(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    if (key == "effective_directive")
      event.csp_directive = text_of(value, event.text, {128, 0});
    else if (key == "violated_directive" && event.csp_directive.empty()) {
      const auto whole = text_of(value, event.text, {8192, 0});
      event.csp_directive = whole.substr(0, whole.find(' '));
    } else if (key == "blocked_uri")
      event.csp_blocked = text_of(value, event.text, {256, 40});
  }
}

void read_sdk(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    if (key == "name")
      event.sdk_name = text_of(value, event.text, {200, 0});
    else if (key == "version")
      event.sdk_version = text_of(value, event.text, {100, 0});
  }
}

bool read_text_field(std::string_view key, JsonElement value, Event& event) {
  auto& text = event.text;
  if (key == "platform")
    event.platform = text_of(value, text, {64, 0});
  else if (key == "logger")
    event.logger = text_of(value, text, {64, 0});
  else if (key == "transaction")
    event.transaction = text_of(value, text, {200, 0});
  else if (key == "culprit")
    event.culprit = text_of(value, text, {200, 0});
  else if (key == "release")
    event.release = without_outer_space(text_of(value, text, {200, 0}));
  else if (key == "dist")
    event.dist = without_outer_space(text_of(value, text, {64, 0}));
  else if (key == "environment")
    event.environment = without_outer_space(text_of(value, text, {64, 0}));
  else if (key == "server_name")
    event.server_name = text_of(value, text, {256, 20});
  else if (key == "site")
    event.site = text_of(value, text, {200, 0});
  else
    return false;
  return true;
}

// An empty or null part says nothing and must not hide the same part under its other name.
bool has_content(JsonElement value) {
  JsonArray array;
  if (value.get(array) == simdjson::SUCCESS) return array.begin() != array.end();
  return !value.is_null();
}

void read_part(std::string_view key, JsonElement value, Event& event) {
  if (key == "exception" || key == "sentry.interfaces.Exception")
    read_exceptions(value, event);
  else if (key == "contexts" || key == "sentry.interfaces.Contexts")
    read_contexts(value, event);
  else if (key == "tags")
    read_tags(value, event);
  else if (key == "request" || key == "sentry.interfaces.Http")
    read_request(value, event);
  else if (key == "user" || key == "sentry.interfaces.User")
    read_user(value, event);
  else if (key == "message" || key == "logentry" || key == "sentry.interfaces.Message")
    read_message(value, event);
  else if (key == "stacktrace" || key == "sentry.interfaces.Stacktrace")
    read_stacktrace(value, event);
  else if (key == "fingerprint")
    read_fingerprint(value, event);
  else if (key == "sdk")
    read_sdk(value, event);
  else if (key == "csp" || key == "sentry.interfaces.Csp")
    read_csp(value, event);
}

// An event with an exception or a stack is an error unless it says that it is something else.
EventType infer_type(const Event& event, std::optional<EventType> said) {
  const bool plain = !said || *said == EventType::error || *said == EventType::default_;
  if (!plain) return *said;
  if (!event.exceptions.empty()) return EventType::error;
  if (!event.csp_directive.empty()) return EventType::csp;
  return EventType::default_;
}

}  // namespace

void read_event(JsonObject payload, Event& event) {
  std::optional<EventType> said;
  std::optional<JsonElement> threads;
  for (const auto [key, value] : payload) {
    if (!has_content(value) || read_text_field(key, value, event)) continue;
    std::string_view text;
    if (key == "event_id") {
      if (value.get(text) != simdjson::SUCCESS) continue;
      if (const auto id = relay::parse_event_id(text)) event.id = *id;
    } else if (key == "timestamp") {
      event.timestamp_ms = time_of(value);
    } else if (key == "level") {
      event.level = parse_level(text_of(value, event.text, {32, 0}));
    } else if (key == "type") {
      if (value.get(text) == simdjson::SUCCESS) said = type_named(text);
    } else if (key == "threads") {
      threads = value;
    } else {
      read_part(key, value, event);
    }
  }
  if (threads) read_threads(*threads, event);
  if (event.message.empty()) event.message = event.formatted;
  if (event.formatted.empty()) event.formatted = event.message;
  event.type = infer_type(event, said);
}

}  // namespace picket::digest

#include "api/digest/event_reader.h"

#include "api/digest/message_format.h"
#include "api/digest/normalize_rules.h"
#include "api/digest/part_names.h"

#include <algorithm>
#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_fingerprint_parts = 50;

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
    auto* place = same_word(name, "User-Agent") ? &event.user_agent : nullptr;
    if (!place && name.size() >= 9 && name.size() <= 26) {
      std::array<char, 26> lower{};
      std::ranges::transform(name, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      place = hint_named(event.hints, {lower.data(), name.size()});
    }
    if (!place) return;
    JsonArray several;
    JsonElement first;
    const bool listed =
        value.get(several) == simdjson::SUCCESS && several.at(0).get(first) == simdjson::SUCCESS;
    *place = text_of(listed ? first : value, event.text, {512, 0});
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

// Without query and fragment.
std::string_view url_of(JsonElement value, Event& event) {
  constexpr Length longest{256, 40};
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return text_of(value, event.text, longest);
  return event.text.keep(split_url(text).url, longest);
}

void read_env(JsonElement json, Event& event) {
  JsonObject env;
  if (json.get(env) != simdjson::SUCCESS) return;
  if (const auto address = member_of(env, "REMOTE_ADDR"))
    event.remote_address = text_of(*address, event.text, {64, 0});
}

void read_request(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    if (key == "url")
      event.request_url = url_of(value, event);
    else if (key == "env")
      read_env(value, event);
    else if (key == "method")
      event.request_method = text_of(value, event.text, {32, 0});
    else if (key == "headers")
      read_headers(value, event);
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
    event.message = text_of(json, event.text, longest);
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

// A report as browsers send it or as an event's interface names it.
void read_csp(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    const auto name = csp_field(key);
    if (name == "effective_directive")
      event.csp_directive = text_of(value, event.text, {128, 0});
    else if (name == "violated_directive")
      event.csp_violated = text_of(value, event.text, {8192, 0});
    else if (name == "blocked_uri")
      event.csp_blocked = text_of(value, event.text, {256, 40});
    else if (name == "document_uri")
      event.csp_document = url_of(value, event);
  }
  if (event.csp_directive.empty())
    event.csp_directive = event.text.keep(event.csp_violated.substr(0, event.csp_violated.find(' ')), {128, 0});
}

void read_host_report(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object || !event.report_host.empty()) return;
  if (const auto host = member_of(*object, "hostname")) event.report_host = text_of(*host, event.text, {256, 40});
}

// Of an error in a page template.
void read_template(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  grouping::Template read;
  std::string_view path;
  for (const auto [key, value] : *object) {
    if (key == "filename")
      read.filename = text_of(value, event.text, {256, 40});
    else if (key == "abs_path")
      path = text_of(value, event.text, {256, 40});
    else if (key == "context_line")
      read.context_line = text_of(value, event.text, {8192, 0});
  }
  if (read.filename.empty()) read.filename = path;
  event.error_template = read;
}

void read_sdk(JsonElement json, Event& event) {
  const auto object = object_of(json);
  if (!object) return;
  for (const auto [key, value] : *object) {
    if (key == "name")
      event.sdk_name = text_of(value, event.text, {200, 0});
    else if (key == "version")
      event.sdk_version = text_of(value, event.text, {100, 0});
    else if (JsonObject settings; key == "settings" && value.get(settings) == simdjson::SUCCESS) {
      if (const auto infer = member_of(settings, "infer_ip")) event.infer_ip = text_of(*infer, event.text, {16, 0});
    }
  }
}

void read_transaction_info(JsonElement json, Event& event) {
  JsonObject info;
  if (json.get(info) != simdjson::SUCCESS) return;
  if (const auto source = member_of(info, "source")) event.transaction_source = text_of(*source, event.text, {32, 0});
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
    event.release = clean_release(text_of(value, text, {200, 0}));
  else if (key == "dist")
    event.dist = clean_dist(text_of(value, text, {64, 0}));
  else if (key == "environment")
    event.environment = clean_environment(text_of(value, text, {64, 0}));
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

// The parts of an event, each under the names that payloads have for it: the first with content
// counts. Read in a fixed order, whatever theirs in the payload.
class Parts {
 public:
  void offer(std::string_view key, JsonElement value) {
    for (std::size_t part = 0; part < part_names.size(); ++part) {
      const auto& names = part_names[part];
      for (std::size_t rank = 0; rank < names.size(); ++rank) {
        if (!names[rank].empty() && names[rank] == key) found_[part][rank] = value;
      }
    }
  }
  const auto& all(Part part) const { return found_[static_cast<std::size_t>(part)]; }
  std::optional<JsonElement> get(Part part) const {
    for (const auto& each : all(part)) {
      if (each && has_content(*each)) return each;
    }
    return std::nullopt;
  }

 private:
  std::array<std::array<std::optional<JsonElement>, 3>, part_names.size()> found_{};
};

void read_parts(const Parts& parts, Event& event) {
  const auto read = [&](Part part, void (*reader)(JsonElement, Event&)) {
    if (const auto value = parts.get(part)) reader(*value, event);
  };
  add_clean_tag(event, "server_name", clean_tag_value(event.server_name, event.text));
  add_clean_tag(event, "site", clean_tag_value(event.site, event.text));
  read(Part::tags, read_tags);
  read(Part::contexts, read_contexts);
  add_clean_tag(event, "device.class", event.device_class);
  read(Part::request, read_request);
  read(Part::user, read_user);
  for (const auto& message : parts.all(Part::logentry)) {
    if (message && event.message.empty() && event.formatted.empty()) read_message(*message, event);
  }
  read(Part::fingerprint, read_fingerprint);
  read(Part::sdk, read_sdk);
  read(Part::csp, read_csp);
  read(Part::hpkp, read_host_report);
  read(Part::expect_ct, read_host_report);
  read(Part::expect_staple, read_host_report);
  read(Part::error_template, read_template);
  read(Part::transaction_info, read_transaction_info);
  read(Part::exception, read_exceptions);
  read(Part::stacktrace, read_stacktrace);
  // Old SDKs send an exception and its stack side by side.
  if (event.exceptions.size() == 1 && event.exceptions[0].frames.empty() && event.has_stacktrace) {
    event.exceptions[0].frames = std::exchange(event.stacktrace, {});
    event.exceptions[0].has_stacktrace = true;
    event.has_stacktrace = false;
  }
  read(Part::threads, read_threads);
}

// An event with an exception or a stack is an error unless it says that it is something else.
EventType infer_type(const Event& event, std::optional<EventType> said) {
  const bool plain = !said || *said == EventType::error || *said == EventType::default_;
  if (!plain) return *said;
  if (!event.exceptions.empty()) return EventType::error;
  if (!event.csp_directive.empty()) return EventType::csp;
  return EventType::default_;
}

// What the Reporting API posts: {"type": "csp-violation", "url": …, "user_agent": …, "body": {…}}.
struct Report {
  bool is_csp = false;
  std::optional<JsonElement> body;
  std::optional<JsonElement> url;
  std::optional<JsonElement> user_agent;

  bool offer(std::string_view key, JsonElement value) {
    auto* place = key == "body" ? &body : key == "url" ? &url : key == "user_agent" ? &user_agent : nullptr;
    if (place) *place = value;
    return place != nullptr;
  }
};

void read_report(const Report& report, const Parts& parts, Event& event) {
  const bool alone = !parts.get(Part::csp);
  const bool own_request = parts.get(Part::request).has_value();
  JsonObject body;
  if (alone && report.is_csp && report.body && report.body->get(body) == simdjson::SUCCESS) {
    std::string_view text;
    if (report.url && report.url->get(text) == simdjson::SUCCESS) event.csp_document = url_of(*report.url, event);
    read_csp(*report.body, event);
    if (!own_request && report.user_agent && report.user_agent->get(text) == simdjson::SUCCESS)
      event.user_agent = event.text.keep(text, {512, 0});
  }
  if (!own_request) event.request_url = event.csp_document;
}

}  // namespace

void read_event(JsonObject payload, Event& event) {
  std::optional<EventType> said;
  Parts parts;
  Report report;
  for (const auto [key, value] : payload) {
    if (read_text_field(key, value, event)) continue;
    std::string_view text;
    if (key == "event_id") {
      if (value.get(text) != simdjson::SUCCESS) continue;
      if (const auto id = relay::parse_event_id(text)) event.id = *id;
    } else if (key == "timestamp") {
      event.timestamp_ms = time_of(value);
    } else if (key == "level") {
      event.level = parse_level(text_of(value, event.text, {32, 0}));
    } else if (key == "type") {
      said = value.get(text) == simdjson::SUCCESS ? event_type_named(text) : std::nullopt;
      report.is_csp = text == "csp-violation";
    } else if (!report.offer(key, value)) {
      parts.offer(key, value);
    }
  }
  read_parts(parts, event);
  read_report(report, parts, event);
  if (event.message.empty()) event.message = event.formatted;
  if (event.formatted.empty()) event.formatted = event.message;
  event.type = infer_type(event, said);
}

}  // namespace picket::digest

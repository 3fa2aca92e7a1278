#include "relay/filter/event_facts.h"

#include <simdjson.h>

#include <string>

namespace picket::filter {
namespace {

namespace ondemand = simdjson::ondemand;
using Value = ondemand::value;

// A copy of the payload with the padding that simdjson reads past the end.
struct Buffer {
  ondemand::parser parser;
  std::string bytes;
};

Buffer& buffer_with(std::string_view payload) {
  thread_local Buffer buffer;
  constexpr std::size_t kept_bytes = std::size_t{2} << 20;
  if (buffer.bytes.capacity() > kept_bytes && payload.size() < kept_bytes) buffer = Buffer();
  buffer.bytes.reserve(payload.size() + simdjson::SIMDJSON_PADDING);
  buffer.bytes.assign(payload);
  return buffer;
}

void read_text(Value value, std::string_view& into) {
  std::string_view text;
  if (value.type().value_unsafe() == ondemand::json_type::string &&
      value.get_string().get(text) == simdjson::SUCCESS)
    into = text;
}

// Calls `visit` with the key and value of each member; false when the JSON broke.
template <class Visit>
bool each_member(Value value, const Visit& visit) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return true;
  for (auto field : object) {
    std::string_view key;
    Value member;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
    if (field.value().get(member) != simdjson::SUCCESS) return false;
    visit(key, member);
  }
  return true;
}

template <class Visit>
void each_element(ondemand::array array, const Visit& visit) {
  for (auto element : array) {
    Value value;
    if (element.get(value) != simdjson::SUCCESS) return;
    if (!visit(value)) return;
  }
}

bool is_array(Value& value) {
  return value.type().value_unsafe() == ondemand::json_type::array;
}

bool is_object(Value& value) {
  return value.type().value_unsafe() == ondemand::json_type::object;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != b[i]) return false;
  }
  return true;
}

class Reader {
 public:
  explicit Reader(std::uint8_t needs) : needs_(needs) {}

  void read_member(std::string_view key, Value& value) {
    constexpr std::string_view legacy = "sentry.interfaces.";
    if (key.starts_with(legacy)) key.remove_prefix(legacy.size());
    if (needs(need_release) && key == "release") return read_text(value, facts_.release);
    if (needs(need_transaction) && key == "transaction")
      return read_text(value, facts_.transaction);
    if (needs(need_errors | need_source) && same_name(key, "exception")) return read_errors(value);
    if (needs(need_errors)) {
      const bool entry = same_name(key, "logentry");
      if (entry || same_name(key, "message")) return read_message(value, entry);
    }
    if (needs(need_request) && (same_name(key, "request") || same_name(key, "http")))
      return read_request(value);
    if (needs(need_user) && same_name(key, "user")) return read_user(value);
  }

  EventFacts take() { return std::move(facts_); }

 private:
  bool needs(int what) const { return (needs_ & what) != 0; }

  // A log entry says more than a message beside it.
  void read_message(Value& value, bool entry) {
    std::string_view formatted;
    std::string_view message;
    if (is_object(value)) {
      each_member(value, [&](std::string_view key, Value& member) {
        if (key == "formatted") read_text(member, formatted);
        if (key == "message") read_text(member, message);
      });
    } else {
      read_text(value, message);
    }
    if (formatted.empty()) formatted = message;
    if (!formatted.empty() && (entry || facts_.message.empty())) facts_.message = formatted;
  }

  void read_errors(Value& value) {
    if (is_array(value)) return read_list(value);
    if (!is_object(value)) return;
    // {"values": […]}, or one exception by itself.
    ErrorFact single;
    bool wrapped = false;
    each_member(value, [&](std::string_view key, Value& member) {
      if (key == "values" && is_array(member)) {
        wrapped = true;
        read_list(member);
      } else {
        read_error_member(key, member, single);
      }
    });
    if (!wrapped && !(single.type.empty() && single.value.empty()))
      facts_.errors.push_back(single);
  }

  void read_list(Value& value) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return;
    each_element(array, [this](Value& element) {
      if (!is_object(element)) return true;
      ErrorFact error;
      each_member(element, [&](std::string_view key, Value& member) {
        read_error_member(key, member, error);
      });
      facts_.errors.push_back(error);
      return facts_.errors.size() < EventFacts::most_errors;
    });
  }

  void read_error_member(std::string_view key, Value& value, ErrorFact& error) {
    if (key == "type") return read_text(value, error.type);
    if (key == "value") return read_text(value, error.value);
    if (key != "stacktrace" || !needs(need_source) || !is_object(value)) return;
    each_member(value, [&](std::string_view name, Value& frames) {
      ondemand::array array;
      if (name != "frames" || !is_array(frames)) return;
      if (frames.get_array().get(array) != simdjson::SUCCESS) return;
      each_element(array, [&](Value& frame) {
        if (is_object(frame)) read_frame(frame, error);
        return true;
      });
    });
  }

  // Frames run from the outermost to the innermost: the last one that says where it is counts.
  static void read_frame(Value& frame, ErrorFact& error) {
    std::string_view path;
    std::string_view file;
    each_member(frame, [&](std::string_view key, Value& member) {
      if (key == "abs_path") read_text(member, path);
      if (key == "filename") read_text(member, file);
    });
    if (path.empty()) path = file;
    if (!path.empty() && path != "<anonymous>") error.source = path;
  }

  void read_request(Value& value) {
    if (!is_object(value)) return;
    each_member(value, [&](std::string_view key, Value& member) {
      if (key == "url") return read_text(member, facts_.url);
      if (key == "headers") read_headers(member);
    });
  }

  // {"User-Agent": "…"} or [["User-Agent", "…"], …].
  void read_headers(Value& value) {
    if (is_object(value)) {
      each_member(value, [&](std::string_view key, Value& member) {
        std::string_view text;
        if (wanted(key) != nullptr) read_text(member, text);
        keep_header(key, text);
      });
      return;
    }
    ondemand::array array;
    if (!is_array(value) || value.get_array().get(array) != simdjson::SUCCESS) return;
    each_element(array, [&](Value& pair) {
      ondemand::array parts;
      if (!is_array(pair) || pair.get_array().get(parts) != simdjson::SUCCESS) return true;
      std::string_view name;
      int index = 0;
      each_element(parts, [&](Value& part) {
        std::string_view text;
        read_text(part, text);
        if (index == 0) name = text;
        if (index == 1) keep_header(name, text);
        return ++index < 2;
      });
      return true;
    });
  }

  std::string_view* wanted(std::string_view name) {
    if (same_name(name, "user-agent")) return &facts_.user_agent;
    if (same_name(name, "host")) return &facts_.host;
    if (same_name(name, "x-forwarded-host")) return &facts_.forwarded_host;
    return nullptr;
  }
  void keep_header(std::string_view name, std::string_view text) {
    if (auto* place = wanted(name); place != nullptr && !text.empty()) *place = text;
  }

  void read_user(Value& value) {
    if (!is_object(value)) return;
    each_member(value, [&](std::string_view key, Value& member) {
      if (key == "ip_address") read_text(member, facts_.user_address);
    });
  }

  const std::uint8_t needs_;
  EventFacts facts_;
};

template <class Visit>
void each_root_member(std::string_view payload, const Visit& visit) {
  auto& buffer = buffer_with(payload);
  ondemand::document document;
  const simdjson::padded_string_view padded(buffer.bytes.data(), buffer.bytes.size(),
                                            buffer.bytes.size() + simdjson::SIMDJSON_PADDING);
  if (buffer.parser.iterate(padded).get(document) != simdjson::SUCCESS) return;
  ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return;
  for (auto field : object) {
    std::string_view key;
    Value value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return;
    if (field.value().get(value) != simdjson::SUCCESS) return;
    visit(key, value);
  }
}

}  // namespace

EventFacts read_event(std::string_view payload, std::uint8_t needs) {
  Reader reader(needs);
  each_root_member(payload,
                   [&](std::string_view key, Value& value) { reader.read_member(key, value); });
  return reader.take();
}

CspFacts read_csp(std::string_view payload) {
  CspFacts facts;
  const auto read_body = [&facts](std::string_view key, Value& member) {
    if (key == "blocked-uri" || key == "blockedURL") read_text(member, facts.blocked);
    if (key == "source-file" || key == "sourceFile") read_text(member, facts.source);
  };
  each_root_member(payload, [&](std::string_view key, Value& value) {
    const bool body = key == "csp-report" || key == "body" || key == "csp";
    if (body && is_object(value)) each_member(value, read_body);
    // A security item's payload names them flat.
    if (key == "blocked_uri") read_text(value, facts.blocked);
    if (key == "source_file") read_text(value, facts.source);
  });
  return facts;
}

}  // namespace picket::filter

// Exceptions, stack traces and threads of an event.
#include "api/rest/event_entries.h"
#include "api/rest/event_shapes.h"

#include <algorithm>
#include <utility>

namespace picket::rest {
namespace {

constexpr std::size_t most_values = 500;
constexpr std::size_t most_frames = 2'000;

std::optional<std::int64_t> number_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return std::nullopt;
  json::error_code error;
  if (value->is_number()) {
    const auto number = value->to_number<std::int64_t>(error);
    return error ? std::nullopt : std::optional(number);
  }
  const auto* text = value->if_string();
  if (!text || text->empty() || text->size() > 12) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

json::value number_or_null(const json::object& object, std::string_view name) {
  const auto number = number_member(object, name);
  return number ? json::value(*number) : json::value(nullptr);
}

// [[line number, text], …] around the frame's line.
json::array source_context(const json::object& frame, std::int64_t line) {
  json::array context;
  const auto add = [&](std::int64_t number, const json::value& text) {
    const auto shown = text_value(text);
    context.push_back(json::array{number, shown ? json::value(*shown) : json::value("")});
  };
  if (!member(frame, "context_line")) return context;
  if (const auto* before = array_member(frame, "pre_context")) {
    auto number = line - static_cast<std::int64_t>(before->size());
    for (const auto& text : *before) add(number++, text);
  }
  add(line, *frame.if_contains("context_line"));
  if (const auto* after = array_member(frame, "post_context")) {
    auto number = line + 1;
    for (const auto& text : *after) add(number++, text);
  }
  return context;
}

bool flag_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

json::object render_frame(const json::object& frame) {
  const auto line = number_member(frame, "lineno");
  auto filename = text_or_null_member(frame, "filename");
  auto absolute = text_or_null_member(frame, "abs_path");
  if (filename.is_null()) filename = absolute;
  if (absolute.is_null()) absolute = filename;
  return {
      {"filename", std::move(filename)},
      {"absPath", std::move(absolute)},
      {"module", text_or_null_member(frame, "module")},
      {"package", text_or_null_member(frame, "package")},
      {"platform", text_or_null_member(frame, "platform")},
      {"instructionAddr", text_or_null_member(frame, "instruction_addr")},
      {"symbolAddr", text_or_null_member(frame, "symbol_addr")},
      {"addrMode", text_or_null_member(frame, "addr_mode")},
      {"function", text_or_null_member(frame, "function")},
      {"rawFunction", text_or_null_member(frame, "raw_function")},
      {"symbol", text_or_null_member(frame, "symbol")},
      {"context", line ? source_context(frame, *line) : json::array()},
      {"lineNo", line ? json::value(*line) : json::value(nullptr)},
      {"colNo", number_or_null(frame, "colno")},
      {"inApp", flag_member(frame, "in_app")},
      {"trust", text_or_null_member(frame, "trust")},
      {"errors", value_or_null(frame, "errors")},
      {"lock", value_or_null(frame, "lock")},
      {"sourceLink", text_or_null_member(frame, "source_link")},
      {"vars", value_or_null(frame, "vars")},
  };
}

// The frames in the array, or in {"frames": […]}.
const json::array* frames_of(const json::value& stacktrace) {
  if (const auto* list = stacktrace.if_array()) return list;
  const auto* object = stacktrace.if_object();
  return object ? array_member(*object, "frames") : nullptr;
}

bool has_system_frames(const json::value& stacktrace) {
  const auto* object = stacktrace.if_object();
  const auto* flag = object ? object->if_contains("hasSystemFrames") : nullptr;
  return flag && flag->get_bool();
}

json::object render_exception(const json::object& exception) {
  const auto trace = [&](std::string_view name) {
    const auto* value = member(exception, name);
    return value ? render_stacktrace(*value) : json::value(nullptr);
  };
  auto value = text_or_null_member(exception, "value");
  if (const auto* other = member(exception, "value"); value.is_null() && other) value = json::serialize(*other);
  const auto* mechanism = object_member(exception, "mechanism");
  return {
      {"type", text_or_null_member(exception, "type")},
      {"value", std::move(value)},
      {"mechanism", mechanism ? json::value(*mechanism) : json::value(nullptr)},
      {"threadId", value_or_null(exception, "thread_id")},
      {"module", text_or_null_member(exception, "module")},
      {"stacktrace", trace("stacktrace")},
      {"rawStacktrace", trace("raw_stacktrace")},
  };
}

}  // namespace

json::value render_stacktrace(const json::value& stacktrace) {
  const auto* frames = frames_of(stacktrace);
  if (!frames) return nullptr;
  json::array shown;
  std::size_t system = 0;
  for (const auto& each : *frames) {
    const auto* frame = each.if_object();
    if (!frame || shown.size() >= most_frames) continue;
    shown.push_back(render_frame(*frame));
    if (!flag_member(*frame, "in_app")) ++system;
  }
  if (shown.empty()) return nullptr;
  const bool mixed = system > 0 && system < shown.size();
  const auto* object = stacktrace.if_object();
  return json::object{
      {"frames", std::move(shown)},
      {"framesOmitted", object ? value_or_null(*object, "frames_omitted") : json::value(nullptr)},
      {"registers", object ? value_or_null(*object, "registers") : json::value(nullptr)},
      {"hasSystemFrames", mixed},
  };
}

json::value render_exceptions(const json::value& exception) {
  json::array values;
  bool system_frames = false;
  for (const auto* each : listed_objects(exception, most_values)) {
    values.push_back(render_exception(*each));
    system_frames = system_frames || has_system_frames(values.back().get_object().at("stacktrace"));
  }
  if (values.empty()) return nullptr;
  return json::object{{"values", std::move(values)}, {"hasSystemFrames", system_frames}, {"excOmitted", nullptr}};
}

json::value render_threads(const json::value& threads) {
  json::array values;
  for (const auto* thread : listed_objects(threads, most_values)) {
    const auto trace = [&](std::string_view name) {
      const auto* value = member(*thread, name);
      return value ? render_stacktrace(*value) : json::value(nullptr);
    };
    values.push_back(json::object{
        {"id", value_or_null(*thread, "id")},
        {"current", flag_member(*thread, "current")},
        {"crashed", flag_member(*thread, "crashed")},
        {"name", text_or_null_member(*thread, "name")},
        {"state", text_or_null_member(*thread, "state")},
        {"heldLocks", value_or_null(*thread, "held_locks")},
        {"stacktrace", trace("stacktrace")},
        {"rawStacktrace", trace("raw_stacktrace")},
    });
  }
  if (values.empty()) return nullptr;
  return json::object{{"values", std::move(values)}};
}

}  // namespace picket::rest

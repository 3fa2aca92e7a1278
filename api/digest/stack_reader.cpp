#include "api/digest/event_reader.h"
#include "api/digest/normalize_rules.h"

namespace picket::digest {
namespace {

constexpr std::size_t most_exceptions = 50;
constexpr std::size_t most_listed = 500;  // of which the rest says nothing
constexpr std::size_t most_threads = 1000;
// Of a longer stack the newest and the oldest calls are read, as Sentry keeps them.
constexpr std::size_t newest_frames = 200;
constexpr std::size_t oldest_frames = 50;

void read_frame(JsonObject json, Event& event, Frame& frame) {
  auto& text = event.text;
  for (const auto [key, value] : json) {
    if (key == "function")
      frame.function = text_of(value, text, {512, 20});
    else if (key == "module")
      frame.module = text_of(value, text, {512, 20});
    else if (key == "filename")
      frame.filename = text_of(value, text, {256, 40});
    else if (key == "abs_path")
      frame.abs_path = text_of(value, text, {256, 40});
    else if (key == "platform")
      frame.platform = text_of(value, text, {64, 0});
    else if (key == "lineno")
      frame.line = number_of(value).value_or(0);
    else if (key == "in_app")
      frame.in_app = flag_of(value);
  }
  frame.function = frame_function(frame.function);
  const auto paths = frame_paths(frame.filename, frame.abs_path);
  frame.filename = paths.filename;
  frame.abs_path = paths.abs_path;
}

std::vector<Frame> read_frames(JsonElement stacktrace, Event& event) {
  std::vector<Frame> frames;
  JsonElement listed = stacktrace;
  if (JsonObject object; stacktrace.get(object) == simdjson::SUCCESS) {
    const auto member = member_of(object, "frames");
    if (!member) return frames;
    listed = *member;
  }
  JsonArray array;
  if (listed.get(array) != simdjson::SUCCESS) return frames;
  const std::size_t count = array.size();
  const bool cut = count > newest_frames + oldest_frames;
  frames.reserve(cut ? newest_frames + oldest_frames : count);
  std::size_t index = 0;
  for (const auto entry : array) {
    const std::size_t at = index++;
    if (cut && at >= oldest_frames && at < count - newest_frames) continue;
    JsonObject json;
    if (entry.get(json) != simdjson::SUCCESS) continue;
    read_frame(json, event, frames.emplace_back());
  }
  return frames;
}

void read_mechanism(JsonElement json, Event& event, ExceptionValue& exception) {
  const auto object = object_of(json);
  if (!object) {
    exception.mechanism = text_of(json, event.text, {128, 0});
    return;
  }
  for (const auto [key, value] : *object) {
    if (key == "type")
      exception.mechanism = text_of(value, event.text, {128, 0});
    else if (key == "handled")
      exception.handled = flag_of(value);
    else if (key == "synthetic")
      exception.synthetic = flag_of(value).value_or(false);
  }
}

void add_exception(ExceptionValue exception, Event& event) {
  const auto named = exception_type(exception.type, exception.value);
  exception.type = named.type;
  exception.value = named.value;
  const bool says_nothing =
      exception.type.empty() && exception.value.empty() && exception.frames.empty();
  if (!says_nothing) event.exceptions.push_back(std::move(exception));
}

void read_exception(JsonElement json, Event& event) {
  if (event.exceptions.size() >= most_exceptions) return;
  ExceptionValue exception;
  JsonObject object;
  if (json.get(object) != simdjson::SUCCESS) {
    exception.value = text_of(json, event.text, {8192, 200});
    return add_exception(std::move(exception), event);
  }
  for (const auto [key, value] : object) {
    if (key == "type")
      exception.type = text_of(value, event.text, {256, 20});
    else if (key == "value")
      exception.value = text_of(value, event.text, {8192, 200});
    else if (key == "module")
      exception.module = text_of(value, event.text, {256, 20});
    else if (key == "mechanism")
      read_mechanism(value, event, exception);
    else if (key == "stacktrace")
      exception.frames = read_frames(value, event);
  }
  add_exception(std::move(exception), event);
}

struct ThreadChoice {
  std::optional<JsonElement> crashed;
  std::optional<JsonElement> current;
  std::optional<JsonElement> only;
  std::size_t count = 0;
};

}  // namespace

void read_exceptions(JsonElement exceptions, Event& event) {
  for_each_value(exceptions, most_listed,
                 [&](JsonElement each) { read_exception(each, event); });
}

void read_stacktrace(JsonElement stacktrace, Event& event) {
  if (auto frames = read_frames(stacktrace, event); !frames.empty())
    event.stacktrace = std::move(frames);
}

// The crashed thread's stack, else the current one's, else that of the only thread.
void read_threads(JsonElement threads, Event& event) {
  if (!event.stacktrace.empty()) return;
  ThreadChoice choice;
  for_each_value(threads, most_threads, [&](JsonElement each) {
    JsonObject thread;
    if (each.get(thread) != simdjson::SUCCESS) return;
    const auto stacktrace = member_of(thread, "stacktrace");
    if (!stacktrace || stacktrace->is_null()) return;
    ++choice.count;
    choice.only = stacktrace;
    const auto says = [&](std::string_view name) {
      const auto flag = member_of(thread, name);
      return flag && flag_of(*flag).value_or(false);
    };
    if (says("crashed")) choice.crashed = stacktrace;
    if (says("current")) choice.current = stacktrace;
  });
  if (choice.crashed) return read_stacktrace(*choice.crashed, event);
  if (choice.current) return read_stacktrace(*choice.current, event);
  if (choice.count == 1) read_stacktrace(*choice.only, event);
}

}  // namespace picket::digest

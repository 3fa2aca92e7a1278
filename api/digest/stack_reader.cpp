#include "api/digest/event_reader.h"
#include "api/digest/normalize_rules.h"

#include <cstring>
#include <utility>

namespace picket::digest {
namespace {

constexpr std::size_t most_exceptions = 50;
constexpr std::size_t most_listed = 500;  // of which the rest says nothing
constexpr std::size_t most_threads = 1000;
// Of a longer stack the newest and the oldest calls are read, as Sentry keeps them.
constexpr std::size_t newest_frames = 200;
constexpr std::size_t oldest_frames = 50;

// What a processor noted: the source map that the frame's place was found in.
bool has_sourcemap(JsonElement data) {
  JsonObject object;
  if (data.get(object) != simdjson::SUCCESS) return false;
  const auto map = member_of(object, "sourcemap");
  return map && !map->is_null();
}

// An event has hundreds of these members: compared in place, without a call for each.
template <std::size_t Size>
[[gnu::always_inline]] inline bool is(std::string_view key, const char (&name)[Size]) {
  return key.size() == Size - 1 && std::memcmp(key.data(), name, Size - 1) == 0;
}

void read_frame(JsonObject json, Event& event, Frame& frame) {
  auto& text = event.text;
  for (const auto [key, value] : json) {
    if (is(key, "function"))
      frame.function = text_of(value, text, {512, 20});
    else if (is(key, "module"))
      frame.module = text_of(value, text, {512, 20});
    else if (is(key, "filename"))
      frame.filename = text_of(value, text, {256, 40});
    else if (is(key, "abs_path"))
      frame.abs_path = text_of(value, text, {256, 40});
    else if (is(key, "platform"))
      frame.platform = text_of(value, text, {64, 0});
    else if (is(key, "raw_function"))
      frame.raw_function = text_of(value, text, {512, 20});
    else if (is(key, "package"))
      frame.package = text_of(value, text, {256, 40});
    else if (is(key, "context_line"))
      frame.context_line = text_of(value, text, {256, 40});
    else if (is(key, "lineno"))
      frame.line = number_of(value).value_or(0);
    else if (is(key, "colno"))
      frame.column = number_of(value).value_or(0);
    else if (is(key, "data"))
      frame.sourcemap = has_sourcemap(value);
    else if (is(key, "in_app"))
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

// {"ns_error": {"domain": …, "code": …}}
void read_mechanism_meta(JsonElement json, Event& event, ExceptionValue& exception) {
  JsonObject meta;
  if (json.get(meta) != simdjson::SUCCESS) return;
  const auto said = member_of(meta, "ns_error");
  JsonObject error;
  if (!said || said->get(error) != simdjson::SUCCESS) return;
  grouping::NsError read;
  for (const auto [key, value] : error) {
    if (key == "domain") read.domain = text_of(value, event.text, {256, 0});
    if (key == "code") read.code = text_of(value, event.text, {64, 0});
  }
  exception.ns_error = read;
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
    else if (key == "exception_id")
      exception.id = number_of(value);
    else if (key == "parent_id")
      exception.parent = number_of(value);
    else if (key == "is_exception_group")
      exception.is_group = flag_of(value).value_or(false);
    else if (key == "meta")
      read_mechanism_meta(value, event, exception);
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
    else if (key == "stacktrace") {
      exception.frames = read_frames(value, event);
      exception.has_stacktrace = !value.is_null();
    }
  }
  add_exception(std::move(exception), event);
}

// The one that says something of itself, and how many say so.
struct Said {
  std::optional<JsonObject> thread;
  std::size_t count = 0;
  void offer(JsonObject each) { thread = each, ++count; }
};

bool says(JsonObject thread, std::string_view name) {
  const auto flag = member_of(thread, name);
  return flag && flag_of(*flag).value_or(false);
}

std::optional<JsonElement> stack_of(const std::optional<JsonObject>& thread) {
  auto stack = thread ? member_of(*thread, "stacktrace") : std::nullopt;
  return stack && !stack->is_null() ? stack : std::nullopt;
}

}  // namespace

void read_exceptions(JsonElement exceptions, Event& event) {
  for_each_value(exceptions, most_listed,
                 [&](JsonElement each) { read_exception(each, event); });
}

void read_stacktrace(JsonElement stacktrace, Event& event) {
  event.has_stacktrace = !stacktrace.is_null();
  if (auto frames = read_frames(stacktrace, event); !frames.empty())
    event.stacktrace = std::move(frames);
}

// Shown, when the event has no stack of its own: the crashed thread's stack, else the current one's,
// else that of the only thread. Grouped by: the same, where only one thread claims to be it.
void read_threads(JsonElement threads, Event& event) {
  Said crashed;
  Said current;
  Said any;
  Said stacked;
  for_each_value(threads, most_threads, [&](JsonElement each) {
    JsonObject thread;
    if (each.get(thread) != simdjson::SUCCESS) return;
    any.offer(thread);
    if (says(thread, "crashed")) crashed.offer(thread);
    if (says(thread, "current")) current.offer(thread);
    if (stack_of(thread)) stacked.offer(thread);
  });
  const auto& chosen = crashed.count == 1 ? crashed : current.count == 1 ? current : any;
  auto& thread = event.thread;
  thread.count = any.count;
  thread.chosen = chosen.count == 1;
  const auto stack = thread.chosen ? stack_of(chosen.thread) : std::nullopt;
  thread.has_stacktrace = stack.has_value();
  if (stack) thread.frames = read_frames(*stack, event);
  if (!event.stacktrace.empty()) return;
  if (stack) {
    event.stacktrace = std::exchange(thread.frames, {});
    thread.is_shown = true;
    return;
  }
  auto shown = stack_of(crashed.thread);
  if (!shown) shown = stack_of(current.thread);
  if (!shown && stacked.count == 1) shown = stack_of(stacked.thread);
  if (shown) event.stacktrace = read_frames(*shown, event);
}

}  // namespace picket::digest

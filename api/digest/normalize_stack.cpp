// Exceptions, stacks and threads.
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array frame_fields = {
    Field{"function", text, {512, 20}},    Field{"raw_function", text, {512, 20}}, Field{"symbol", text, {512, 20}}, Field{"module", text, {512, 20}},
    Field{"package", text, {256, 40}},     Field{"filename", text, {256, 40}},     Field{"abs_path", text, {256, 40}}, Field{"platform", text, {64, 0}},
    Field{"lineno", whole},                Field{"colno", whole},                  Field{"in_app", flag},            Field{"context_line", text, {256, 40}},
    Field{"pre_context", list},            Field{"post_context", list},            Field{"vars"},
};
constexpr std::array exception_fields = {Field{"type", text, {256, 20}}, Field{"module", text, {256, 20}}};
constexpr std::array thread_fields = {Field{"name", text, {1024, 100}}, Field{"state", text, {128, 0}}, Field{"current", flag}, Field{"crashed", flag}, Field{"main", flag}};

constexpr std::size_t most_exceptions = 500;
constexpr std::size_t most_threads = 1000;
constexpr std::size_t newest_frames = 200;
constexpr std::size_t oldest_frames = 50;
constexpr std::size_t detailed_frames = 50;

void normalize_frame(json::object& frame, const Place& place, Notes& notes) {
  // The last field, vars, is of any kind; it is trimmed with the other bags.
  check_fields(frame, std::span(frame_fields).first(frame_fields.size() - 1), place, notes);
  if (auto* vars = frame.if_contains("vars"); vars && !vars->is_object() && !vars->is_array()) {
    if (!vars->is_null()) notes.invalid(Place(place, "vars"), "expected an object", *vars);
    frame.stable_erase("vars");
  }
  for (const std::string_view name : {"pre_context", "post_context"}) {
    auto* lines = find_array(frame, name);
    if (!lines) continue;
    const Place here(place, name);
    std::size_t index = 0;
    for (auto& line : *lines) {
      const Place line_place(here, index++);
      if (!check_text(line, {256, 40}, line_place, notes)) line = "";
    }
  }
  if (frame_function(text_or(frame, "function")).empty()) frame.stable_erase("function");
  const std::string filename(text_or(frame, "filename"));
  const std::string abs_path(text_or(frame, "abs_path"));
  const auto paths = frame_paths(filename, abs_path);
  for (const auto& [name, path] : {std::pair{"filename", paths.filename}, std::pair{"abs_path", paths.abs_path}}) {
    if (path.empty()) {
      frame.stable_erase(name);
    } else {
      frame[name] = path;
    }
  }
}

// Source lines and variables are kept for the application's own frames first, then for the newest.
void drop_details(json::array& frames, const Place& place, Notes& notes) {
  std::size_t left = detailed_frames;
  const auto in_app = [](const json::object& frame) {
    const auto* said = frame.if_contains("in_app");
    return said && said->is_bool() && said->get_bool();
  };
  std::vector<bool> kept(frames.size());
  for (const bool wanted : {true, false}) {
    for (std::size_t i = frames.size(); i-- > 0 && left > 0;) {
      if (in_app(frames[i].get_object()) != wanted) continue;
      kept[i] = true;
      --left;
    }
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (kept[i]) continue;
    auto& frame = frames[i].get_object();
    bool had = false;
    for (const std::string_view name : {"vars", "pre_context", "post_context"}) {
      had |= frame.contains(name);
      frame.stable_erase(name);
    }
    if (had) notes.removed(Place(Place(place, i), "vars"));
  }
}

// The entries of a list in any of its shapes, as the digest's for_each_value() walks them.
json::array take_values(json::value& value) {
  if (auto* listed = value.if_array()) return std::move(*listed);
  auto* object = value.if_object();
  if (!object) return {};
  auto* values = object->if_contains("values");
  if (auto* listed = values ? values->if_array() : nullptr) return std::move(*listed);
  json::array only;
  if (!values) {
    only.push_back(std::move(value));
  } else if (values->is_object()) {
    only.push_back(std::move(*values));
  }
  return only;
}

bool has_frames(const json::object& holder) {
  const auto* trace = holder.if_contains("stacktrace");
  return trace && trace->is_object();
}

void normalize_stack_in(json::object& holder, const Place& place, Notes& notes) {
  for (const std::string_view name : {"stacktrace", "raw_stacktrace"}) {
    auto* trace = holder.if_contains(name);
    if (trace && !normalize_stacktrace(*trace, Place(place, name), notes)) holder.stable_erase(name);
  }
}

// False when it says nothing.
bool normalize_exception(json::value& value, std::string_view platform, const Place& place, Notes& notes) {
  if (!value.is_object()) {
    auto said = scalar_text(value);
    if (!said) {
      if (!value.is_null()) notes.invalid(place, "expected an exception", value);
      return false;
    }
    value = json::object{{"value", *said}};
  }
  auto& exception = value.get_object();
  check_fields(exception, exception_fields, place, notes);
  if (auto* said = exception.if_contains("value")) {
    if (said->is_null()) {
      exception.stable_erase("value");
    } else {
      check_text(*said, {8192, 200}, Place(place, "value"), notes);  // other kinds stay as they are
    }
  }
  normalize_stack_in(exception, place, notes);
  const std::string said_value(text_or(exception, "value"));
  const std::string said_type(text_or(exception, "type"));
  const auto named = exception_type(said_type, said_value);
  if (named.type != said_type) {
    exception["type"] = named.type;
    exception["value"] = named.value;
  }
  normalize_mechanism(exception, platform, place, notes);
  if (text_or(exception, "type").empty()) exception.stable_erase("type");
  const bool says_something = !named.type.empty() || !named.value.empty() || has_frames(exception);
  if (!says_something) notes.error(place, "missing_attribute", {{"attribute", "type or value"}});
  return says_something;
}

void normalize_exception_list(Work& work) {
  auto* value = work.event.if_contains("exception");
  if (!value) return;
  const Place place(work.root, "exception");
  if (!value->is_object() && !value->is_array()) return reject(work.event, "exception", "expected a list of exceptions", place, work.notes);
  auto said = take_values(*value);
  const Place list_place(place, "values");
  const std::string platform(text_or(work.event, "platform"));
  json::array kept;
  for (std::size_t i = 0; i < said.size() && i < most_exceptions; ++i) {
    if (normalize_exception(said[i], platform, Place(list_place, i), work.notes)) kept.push_back(std::move(said[i]));
  }
  if (said.size() > most_exceptions) work.notes.shortened(list_place, said.size());
  if (kept.empty()) {
    work.event.stable_erase("exception");
  } else {
    work.event["exception"] = json::object{{"values", std::move(kept)}};
  }
}

void normalize_threads(Work& work) {
  auto* value = work.event.if_contains("threads");
  if (!value) return;
  const Place place(work.root, "threads");
  auto said = take_values(*value);
  const Place list_place(place, "values");
  json::array kept;
  for (std::size_t i = 0; i < said.size() && i < most_threads; ++i) {
    auto* thread = said[i].if_object();
    if (!thread) continue;
    const Place here(list_place, i);
    check_fields(*thread, thread_fields, here, work.notes);
    // A thread with an empty stack is still a thread with a stack: which one is shown depends on it.
    auto* trace = thread->if_contains("stacktrace");
    const bool empty = trace && !trace->is_null() && !normalize_stacktrace(*trace, Place(here, "stacktrace"), work.notes);
    if (trace && trace->is_null()) thread->stable_erase("stacktrace");
    if (empty) (*thread)["stacktrace"] = json::object();
    auto* raw = thread->if_contains("raw_stacktrace");
    if (raw && !normalize_stacktrace(*raw, Place(here, "raw_stacktrace"), work.notes)) thread->stable_erase("raw_stacktrace");
    kept.push_back(std::move(said[i]));
  }
  if (said.size() > most_threads) work.notes.shortened(list_place, said.size());
  if (kept.empty()) {
    work.event.stable_erase("threads");
  } else {
    work.event["threads"] = json::object{{"values", std::move(kept)}};
  }
}

}  // namespace

bool normalize_stacktrace(json::value& stacktrace, const Place& place, Notes& notes) {
  if (auto* listed = stacktrace.if_array()) stacktrace = json::object{{"frames", std::move(*listed)}};
  auto* trace = stacktrace.if_object();
  auto* said = trace ? find_array(*trace, "frames") : nullptr;
  if (!said) return false;
  const Place list_place(place, "frames");
  const auto count = said->size();
  const bool cut = count > newest_frames + oldest_frames;
  json::array kept;
  for (std::size_t i = 0; i < count; ++i) {
    auto* frame = (*said)[i].if_object();
    if (!frame || (cut && i >= oldest_frames && i < count - newest_frames)) continue;
    normalize_frame(*frame, Place(list_place, i), notes);
    kept.push_back(std::move((*said)[i]));
  }
  if (cut) {
    notes.shortened(list_place, count);
    (*trace)["frames_omitted"] = json::array{oldest_frames, count - newest_frames};
  }
  if (kept.size() > detailed_frames) drop_details(kept, list_place, notes);
  const bool any = !kept.empty();
  trace->at("frames") = std::move(kept);
  return any;
}

void normalize_exceptions(Work& work) {
  auto& event = work.event;
  normalize_exception_list(work);
  auto* trace = event.if_contains("stacktrace");
  if (trace && !normalize_stacktrace(*trace, Place(work.root, "stacktrace"), work.notes)) event.stable_erase("stacktrace");
  // Old SDKs send an exception and its stack side by side.
  auto* exceptions = find_object(event, "exception");
  auto* only = exceptions ? &exceptions->at("values").get_array() : nullptr;
  if (only && only->size() == 1 && event.contains("stacktrace") && !has_frames(only->at(0).get_object())) {
    auto moved = std::move(event.at("stacktrace"));
    only->at(0).get_object()["stacktrace"] = std::move(moved);
    event.stable_erase("stacktrace");
  }
  normalize_threads(work);
}

}  // namespace picket::digest

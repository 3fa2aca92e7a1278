#include "api/digest/title.h"

#include "api/digest/security_event.h"

#include <utility>

namespace picket::digest {
namespace {

const std::vector<Frame>* newest_stack(const Event& event) {
  for (auto exception = event.exceptions.rbegin(); exception != event.exceptions.rend();
       ++exception) {
    if (!exception->frames.empty()) return &exception->frames;
  }
  return event.stacktrace.empty() ? nullptr : &event.stacktrace;
}

bool names_a_function(const Frame& frame) {
  return frame.function != "<redacted>" && frame.function != "<unknown>";
}

// The newest in-app frame that gives a text, else the newest frame's.
std::string frame_culprit(const Frame& frame, std::string_view event_platform) {
  const auto platform = frame.platform.empty() ? event_platform : frame.platform;
  const std::string function(frame.function.empty() ? "?" : frame.function);
  if (platform == "objc" || platform == "cocoa" || platform == "native") return function;
  const auto place = frame.module.empty() ? frame.filename : frame.module;
  if (place.empty()) return {};
  if (platform == "javascript" || platform == "node")
    return function + "(" + std::string(place) + ")";
  return std::string(place) + " in " + function;
}

std::string stack_culprit(const std::vector<Frame>& frames, std::string_view platform) {
  std::string fallback;
  bool have_fallback = false;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    const bool in_app = frame->in_app.value_or(false);
    if (!in_app && have_fallback) continue;
    auto culprit = frame_culprit(*frame, platform);
    if (in_app && !culprit.empty()) return culprit;
    if (!in_app) {
      fallback = std::move(culprit);
      have_fallback = true;
    }
  }
  return fallback;
}

std::string culprit_of(const Event& event) {
  constexpr std::size_t longest = 200;
  if (!event.culprit.empty()) return ellipsed(event.culprit, longest);
  if (!event.transaction.empty()) return ellipsed(event.transaction, longest);
  if (!event.exceptions.empty() && event.exceptions.back().synthetic) return {};
  std::string culprit;
  if (const auto* stack = newest_stack(event)) culprit = stack_culprit(*stack, event.platform);
  return ellipsed(culprit.empty() ? event.request_url : std::string_view(culprit), longest);
}

class Metadata {
 public:
  void add(std::string_view name, std::string_view value) {
    json_ += json_.empty() ? '{' : ',';
    append_json_text(json_, name);
    json_ += ':';
    append_json_text(json_, value);
  }
  std::string take() { return json_.empty() ? "{}" : std::move(json_) + "}"; }

 private:
  std::string json_;
};

void name_exception(const Event& event, const ExceptionValue& exception, Title& title) {
  const auto type = ellipsed(exception.type, 128);
  const auto value = ellipsed(exception.value, 1024);
  const auto* frame = crashing_frame(event);
  const std::string_view function = frame ? frame->function : std::string_view();
  Metadata metadata;
  metadata.add("value", value);
  if (!type.empty()) metadata.add("type", type);
  if (!title.location.empty()) metadata.add("filename", title.location);
  if (!function.empty()) metadata.add("function", function);
  title.metadata_json = metadata.take();
  const auto line = ellipsed(first_line(without_outer_space(value)), 100);
  title.title = type;
  if (!type.empty() && !line.empty()) title.title += ": ";
  title.title += line;
  if (title.title.empty()) title.title = function.empty() ? "<unknown>" : std::string(function);
}

void name_message(const Event& event, Title& title) {
  const auto line = ellipsed(first_line(without_outer_space(event.formatted)), 256);
  title.title = line.empty() ? "<unlabeled event>" : line;
  Metadata metadata;
  metadata.add("title", title.title);
  title.metadata_json = metadata.take();
}

void name_csp(const Event& event, Title& title) {
  title.title = event.formatted.empty()
                    ? describe_csp(event.csp_directive, event.csp_blocked, "")
                    : ellipsed(first_line(without_outer_space(event.formatted)), 256);
  Metadata metadata;
  metadata.add("directive", event.csp_directive);
  metadata.add("uri", event.csp_blocked.empty() ? "self" : blocked_place(event.csp_blocked));
  metadata.add("message", title.title);
  title.metadata_json = metadata.take();
}

// What people wrote is the value, and the issue of each is called alike.
void name_feedback(const Event& event, Title& title) {
  title.title = "User Feedback";
  title.culprit = "user";
  Metadata metadata;
  metadata.add("title", title.title);
  metadata.add("value", event.feedback_message);
  metadata.add("message", event.feedback_message);
  if (!event.feedback_email.empty()) metadata.add("contact_email", event.feedback_email);
  if (!event.feedback_name.empty()) metadata.add("name", event.feedback_name);
  if (!event.feedback_source.empty()) metadata.add("source", event.feedback_source);
  title.metadata_json = metadata.take();
}

}  // namespace

const ExceptionValue* main_exception(const Event& event) {
  return event.exceptions.empty() ? nullptr : &event.exceptions.back();
}

const Frame* crashing_frame(const Event& event) {
  const auto* stack = newest_stack(event);
  if (stack == nullptr) return nullptr;
  const Frame* fallback = nullptr;
  for (auto frame = stack->rbegin(); frame != stack->rend(); ++frame) {
    if (!names_a_function(*frame)) continue;
    if (frame->in_app.value_or(false)) return &*frame;
    if (fallback == nullptr) fallback = &*frame;
  }
  return fallback;
}

Title title_of(const Event& event) {
  Title title;
  title.culprit = culprit_of(event);
  if (const auto* frame = crashing_frame(event)) {
    title.location = frame->filename.empty() ? frame->abs_path : frame->filename;
  }
  const auto* exception = main_exception(event);
  if (event.type == EventType::feedback) {
    name_feedback(event, title);
  } else if (event.type == EventType::csp && !event.csp_directive.empty()) {
    name_csp(event, title);
  } else if (event.type == EventType::transaction && !event.transaction.empty()) {
    title.title = event.transaction;
    title.metadata_json = Metadata().take();
  } else if (exception != nullptr) {
    name_exception(event, *exception, title);
  } else {
    name_message(event, title);
  }
  return title;
}

}  // namespace picket::digest

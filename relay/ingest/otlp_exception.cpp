#include "relay/ingest/otlp_exception.h"

#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/stack_text.h"
#include "relay/ingest/telemetry_writer.h"

#include <array>
#include <utility>

namespace picket::ingest::otlp {
namespace {

// FNV-1a twice, from two starts: an id that repeats with its content, not a secret.
class Digest {
 public:
  void add(std::string_view text) {
    for (const char c : text)
      add_byte(static_cast<unsigned char>(c));
    add_byte(0xff);  // never in UTF-8: parts do not run together
  }
  relay::EventId take() const {
    relay::EventId id;
    for (std::size_t i = 0; i < id.bytes.size(); ++i)
      id.bytes.at(i) = static_cast<std::uint8_t>(state_.at(i / 8) >> (8 * (i % 8)));
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
    return id;
  }

 private:
  void add_byte(std::uint64_t byte) {
    for (auto& state : state_)
      state = (state ^ byte) * 0x100000001b3U;
    state_[1] ^= state_[1] >> 29;
  }
  std::array<std::uint64_t, 2> state_{0xcbf29ce484222325U, 0x9ae16a3b2f90404fU};
};

std::string_view platform_of(std::string_view language) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> platforms{
      {{"nodejs", "node"},
       {"webjs", "javascript"},
       {"python", "python"},
       {"java", "java"},
       {"go", "go"},
       {"dotnet", "csharp"},
       {"ruby", "ruby"},
       {"php", "php"},
       {"cpp", "native"},
       {"rust", "native"},
       {"swift", "cocoa"}}};
  for (const auto& [word, platform] : platforms) {
    if (word == language) return platform;
  }
  return "other";
}

class EventWriter {
 public:
  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) raw(key, json_text(value));
  }
  void raw(std::string_view key, std::string_view json) {
    json_ += json_.empty() ? '{' : ',';
    json_.append(json_text(key)).append(":").append(json);
  }
  void value(std::string_view key, const Value& value) {
    if (value.kind == Value::Kind::none) return;
    raw(key, value.kind == Value::Kind::text ? json_text(value.text) : value.text);
  }
  std::string take() { return json_.empty() ? "{}" : std::exchange(json_, {}) + "}"; }

 private:
  std::string json_;
};

std::string render_values(const Attributes& exception) {
  EventWriter value;
  value.text("type", find_text(exception, "exception.type"));
  value.text("value", find_text(exception, "exception.message"));
  EventWriter mechanism;
  mechanism.text("type", "opentelemetry");
  if (const auto* escaped = find(exception, "exception.escaped"))
    mechanism.raw("handled", escaped->text == "true" || escaped->text == "True" ? "false" : "true");
  value.raw("mechanism", mechanism.take());
  const auto stack = find_text(exception, "exception.stacktrace");
  const auto frames = parse_stack_text(stack);
  if (!frames.empty()) value.raw("stacktrace", R"({"frames":)" + render_frames(frames) + "}");
  return R"({"values":[)" + value.take() + "]}";
}

std::string render_all(const Attributes& attributes, std::string_view without) {
  EventWriter writer;
  for (const auto& [key, value] : attributes) {
    if (without.empty() || !key.starts_with(without)) writer.value(key, value);
  }
  return writer.take();
}

std::string_view first_of(const Attributes& attributes, std::string_view key, std::string_view or_) {
  const auto text = find_text(attributes, key);
  return text.empty() ? find_text(attributes, or_) : text;
}

}  // namespace

bool is_exception(const Attributes& attributes) {
  return !find_text(attributes, "exception.type").empty() ||
         !find_text(attributes, "exception.message").empty();
}

std::string render_exception(const Attributes& resource,
                             const Attributes& exception,
                             const ExceptionPlace& place) {
  const auto stack = find_text(exception, "exception.stacktrace");
  Digest digest;
  digest.add(place.trace_id);
  digest.add(place.span_id);
  digest.add(std::to_string(place.time_ns));
  digest.add(find_text(exception, "exception.type"));
  digest.add(find_text(exception, "exception.message"));
  digest.add(stack);
  const auto id = digest.take();

  EventWriter event;
  event.text("event_id", relay::render_event_id(id));
  event.raw("timestamp", json_seconds(place.time_ns));
  event.text("platform", platform_of(find_text(resource, "telemetry.sdk.language")));
  event.text("level", place.level);
  event.text("logger", place.logger);
  event.text("transaction", place.transaction);
  event.text("release", first_of(resource, "sentry.release", "service.version"));
  event.text("environment",
             first_of(resource, "deployment.environment.name", "deployment.environment"));
  event.text("server_name", first_of(resource, "host.name", "service.instance.id"));
  event.raw("exception", render_values(exception));
  EventWriter trace;
  trace.text("trace_id", place.trace_id);
  trace.text("span_id", place.span_id);
  trace.text("parent_span_id", place.parent_span_id);
  EventWriter contexts;
  if (!place.trace_id.empty() && !place.span_id.empty()) contexts.raw("trace", trace.take());
  contexts.raw("otel", R"({"resource":)" + render_all(resource, "") + R"(,"attributes":)" +
                           render_all(exception, "exception.") + "}");
  event.raw("contexts", contexts.take());
  EventWriter tags;
  tags.text("service.name", find_text(resource, "service.name"));
  event.raw("tags", tags.take());
  if (!stack.empty()) event.raw("extra", R"({"exception.stacktrace":)" + json_text(stack) + "}");
  EventWriter sdk;
  const std::string sender(first_of(resource, "telemetry.sdk.language", "telemetry.sdk.name"));
  sdk.text("name", sender.empty() ? "opentelemetry" : "opentelemetry." + sender);
  sdk.text("version", find_text(resource, "telemetry.sdk.version"));
  event.raw("sdk", sdk.take());

  EnvelopeWriter envelope(id);
  envelope.add("event", event.take(), R"(,"content_type":"application/json")");
  return envelope.take();
}

}  // namespace picket::ingest::otlp

#include "relay/ingest/otlp_endpoint.h"

#include "relay/ingest/body_format.h"
#include "relay/ingest/otlp.h"
#include "relay/ingest/otlp_exception.h"
#include "relay/ingest/replies.h"
#include "relay/ingest/telemetry_writer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::ingest {
namespace {

using otlp::Attributes;
using otlp::Value;

constexpr std::size_t most_entries = 100'000;
constexpr std::size_t most_exceptions = 500;  // of a request: each is an event of its own
constexpr std::size_t most_event_bytes = std::size_t{16} << 20;  // of all of them
constexpr std::uint64_t most_made_bytes = std::uint64_t{48} << 20;
constexpr std::size_t most_log_bytes = std::size_t{1} << 20;
constexpr std::size_t most_span_bytes = std::size_t{10} << 20;
constexpr std::uint32_t flag_knows_remote = 0x100;
constexpr std::uint32_t flag_remote = 0x200;

void add_value(std::string_view key, const Value& value, AttributeWriter& attributes) {
  switch (value.kind) {
    case Value::Kind::none: return;
    case Value::Kind::text: return attributes.add(key, value.text);
    case Value::Kind::flag: return attributes.add_raw(key, "boolean", value.text);
    case Value::Kind::integer: return attributes.add_raw(key, "integer", value.text);
    case Value::Kind::number: return attributes.add_raw(key, "double", value.text);
    case Value::Kind::json:
      // Sentry's attributes know arrays, but no maps: those are kept as their JSON.
      if (value.text.starts_with('[')) return attributes.add_raw(key, "array", value.text);
      return attributes.add(key, value.text);
  }
}

void add_all(std::string_view prefix, const Attributes& from, AttributeWriter& attributes) {
  for (const auto& [key, value] : from)
    add_value(std::string(prefix) + key, value, attributes);
}

void add_resource(const Attributes& resource, const otlp::Scope& scope, AttributeWriter& attributes) {
  const auto add_first = [&](std::string_view name, std::string_view key, std::string_view older) {
    const auto text = otlp::find_text(resource, key);
    const auto value = text.empty() ? otlp::find_text(resource, older) : text;
    if (!value.empty()) attributes.add(name, value);
  };
  add_first("sentry.environment", "deployment.environment.name", "deployment.environment");
  add_first("sentry.release", "sentry.release", "service.version");
  add_all("resource.", resource, attributes);
  if (!scope.name.empty()) attributes.add("instrumentation.name", scope.name);
  if (!scope.version.empty()) attributes.add("instrumentation.version", scope.version);
  add_all("instrumentation.", scope.attributes, attributes);
}

std::string_view level_of(std::uint32_t severity, std::string_view text) {
  constexpr std::array<std::string_view, 6> levels{"trace", "debug", "info",
                                                   "warn",  "error", "fatal"};
  if (severity >= 1 && severity <= 24) return levels.at((severity - 1) / 4);
  for (const auto level : levels) {
    const bool same = text.size() >= level.size() &&
                      std::equal(level.begin(), level.end(), text.begin(),
                                 [](char a, char b) { return a == (b | 0x20); });
    if (same) return level;
  }
  return "info";
}

std::string_view kind_name(std::uint32_t kind) {
  constexpr std::array<std::string_view, 6> names{"",       "internal", "server",
                                                  "client", "producer", "consumer"};
  return kind < names.size() ? names.at(kind) : "";
}

std::string render_links(const otlp::Span& span) {
  std::string json = "[";
  for (const auto& link : span.links) {
    if (link.trace_id.empty() || link.span_id.empty()) continue;
    AttributeWriter attributes;
    add_all("", link.attributes, attributes);
    json += json.size() > 1 ? ",{" : "{";
    json.append(R"("trace_id":")").append(link.trace_id);
    json.append(R"(","span_id":")").append(link.span_id);
    json.append(R"(","sampled":)").append((link.flags & 1) != 0 ? "true" : "false");
    json.append(R"(,"attributes":)").append(attributes.take()).append("}");
  }
  return json + "]";
}

std::string render_span(const Attributes& resource, const otlp::Scope& scope, const otlp::Span& span) {
  AttributeWriter attributes;
  attributes.add("sentry.origin", "auto.otlp.spans");
  if (!kind_name(span.kind).empty()) attributes.add("sentry.kind", kind_name(span.kind));
  if (!span.status_message.empty()) attributes.add("sentry.status.message", span.status_message);
  if (!span.trace_state.empty()) attributes.add("sentry.trace_state", span.trace_state);
  add_all("", span.attributes, attributes);
  add_resource(resource, scope, attributes);
  const bool remote = (span.flags & flag_knows_remote) != 0 && (span.flags & flag_remote) != 0;
  const bool segment = span.parent_span_id.empty() || remote;
  std::string json = R"({"trace_id":")" + span.trace_id + R"(","span_id":")" + span.span_id;
  if (!span.parent_span_id.empty()) json += R"(","parent_span_id":")" + span.parent_span_id;
  json.append(R"(","name":)").append(json_text(span.name));
  json.append(R"(,"status":")").append(span.status == 2 ? "error" : "ok");
  json.append(R"(","is_segment":)").append(segment ? "true" : "false");
  json.append(R"(,"start_timestamp":)").append(json_seconds(span.start_ns));
  json.append(R"(,"end_timestamp":)").append(json_seconds(std::max(span.start_ns, span.end_ns)));
  if (!span.links.empty()) json.append(R"(,"links":)").append(render_links(span));
  return json + R"(,"attributes":)" + attributes.take() + "}";
}

// One request's way from entries to the envelope and its answer.
class OtlpConverter {
 public:
  explicit OtlpConverter(const Inbound& inbound, bool traces)
      : inbound_(inbound),
        traces_(traces),
        now_ns_(static_cast<std::uint64_t>(to_ms(inbound.now)) * 1'000'000) {}

  std::variant<Converted, Refusal> run() {
    const auto type = find_mime_type(inbound_.head);
    const bool json = type == "application/json";
    if (!json && type != "application/x-protobuf") {
      return make_refusal(415, "unsupported media type",
                          "OTLP is application/json or application/x-protobuf", "content_type");
    }
    otlp::Sink sink;
    if (traces_) {
      sink.on_span = [this](const auto& resource, const auto& scope, const auto& span) {
        return take(resource, scope, span);
      };
    } else {
      sink.on_log = [this](const auto& resource, const auto& scope, const auto& log) {
        return take(resource, scope, log);
      };
    }
    const auto read = json ? otlp::read_json(inbound_.body, sink)
                           : otlp::read_protobuf(inbound_.body, sink);
    if (!read) {
      return make_refusal(400, json ? "invalid JSON data" : "invalid protobuf",
                          read.error().detail, json ? "invalid_json" : "invalid_proto");
    }
    if (too_many_) {
      return make_refusal(413, "payload too large", "too many entries, or too much of a resource",
                          traces_ ? "too_large:span" : "too_large:log");
    }
    return finish(json);
  }

 private:
  bool take(const Attributes& resource, const otlp::Scope& scope, const otlp::Span& span) {
    if (!has_room()) return false;
    if (span.trace_id.empty() || span.span_id.empty()) {
      ++invalid_;
      return true;
    }
    const auto json = render_span(resource, scope, span);
    if (json.size() > most_span_bytes) {
      ++large_;
      return true;
    }
    spans_.add(json);
    for (const auto& event : span.events) {
      const bool exception = otlp::is_exception(event.attributes);
      if (exception) {
        add_exception(resource, event.attributes,
                      {.time_ns = event.time_ns == 0 ? span.end_ns : event.time_ns,
                       .trace_id = span.trace_id,
                       .span_id = span.span_id,
                       .parent_span_id = span.parent_span_id,
                       .transaction = span.name,
                       .logger = scope.name});
      }
      if (!exception) add_span_event(resource, scope, span, event);
    }
    return true;
  }

  // A resource is repeated in all of its entries: what comes out may be much more than came in.
  bool has_room() {
    const auto made = envelope_.size() + spans_.size() + logs_.size();
    too_many_ = ++entries_ > most_entries || made > std::min<std::uint64_t>(most_made_bytes, inbound_.config.max_envelope_bytes);
    return !too_many_;
  }

  // Sentry's spans have no events: they are logs within the span.
  void add_span_event(const Attributes& resource,
                      const otlp::Scope& scope,
                      const otlp::Span& span,
                      const otlp::Event& event) {
    LogLine line;
    line.timestamp_ns = event.time_ns == 0 ? span.start_ns : event.time_ns;
    line.trace_id = span.trace_id;
    line.span_id = span.span_id;
    line.severity = 9;
    line.body = event.name;
    AttributeWriter attributes;
    attributes.add("sentry.origin", "auto.otlp.span_events");
    if (!event.name.empty()) attributes.add("event.name", event.name);
    add_all("", event.attributes, attributes);
    add_resource(resource, scope, attributes);
    add_log(line, std::move(attributes));
  }

  bool take(const Attributes& resource, const otlp::Scope& scope, const otlp::Log& log) {
    if (!has_room()) return false;
    LogLine line;
    line.timestamp_ns = log.time_ns != 0 ? log.time_ns : log.observed_ns;
    if (line.timestamp_ns == 0) line.timestamp_ns = now_ns_;
    line.trace_id = log.trace_id;
    line.span_id = log.span_id;
    line.level = level_of(log.severity, log.severity_text);
    line.severity = log.severity;
    const bool exception = otlp::is_exception(log.attributes);
    line.body = log.body.text;
    if (line.body.empty() && exception)
      line.body = otlp::find_text(log.attributes, "exception.message");
    if (line.body.empty()) line.body = log.event_name;
    AttributeWriter attributes;
    attributes.add("sentry.origin", "auto.otlp.logs");
    if (!log.event_name.empty()) attributes.add("event.name", log.event_name);
    if (!log.severity_text.empty()) attributes.add("sentry.severity_text", log.severity_text);
    add_all("", log.attributes, attributes);
    add_resource(resource, scope, attributes);
    if (!add_log(line, std::move(attributes))) {
      ++large_;
      return true;
    }
    if (exception) {
      add_exception(resource, log.attributes,
                    {.time_ns = line.timestamp_ns,
                     .trace_id = log.trace_id,
                     .span_id = log.span_id,
                     .level = line.level == "fatal" ? "fatal" : "error",
                     .logger = scope.name});
    }
    return true;
  }

  bool add_log(const LogLine& line, AttributeWriter attributes) {
    const auto json = render_log(line, std::move(attributes));
    if (json.size() > most_log_bytes) return false;
    logs_.add(json);
    return true;
  }

  void add_exception(const Attributes& resource,
                     const Attributes& exception,
                     const otlp::ExceptionPlace& place) {
    // The span or the log that holds it is kept in any case.
    if (converted_.more.size() == most_exceptions || event_bytes_ > most_event_bytes) {
      ++lost_events_;
      return;
    }
    converted_.more.push_back(otlp::render_exception(resource, exception, place));
    event_bytes_ += converted_.more.back().size();
  }

  void drop(std::uint64_t quantity, std::string_view reason) {
    if (quantity == 0) return;
    const auto category =
        traces_ ? relay::DataCategory::span : relay::DataCategory::log_item;
    converted_.dropped.push_back(
        {{category, quantity}, relay::Outcome::invalid, std::string(reason)});
  }

  std::variant<Converted, Refusal> finish(bool json) {
    spans_.finish();
    logs_.finish();
    drop(invalid_, "invalid_span");
    drop(large_, traces_ ? "too_large:span" : "too_large:log");
    if (lost_events_ > 0) {
      converted_.dropped.push_back({{relay::DataCategory::error, lost_events_},
                                    relay::Outcome::invalid,
                                    "too_large:event"});
    }
    converted_.envelope = envelope_.take();
    converted_.answer = empty_reply(200);
    converted_.answer->content_type = json ? "application/json" : "application/x-protobuf";
    converted_.answer->body = json ? render_json_answer() : render_protobuf_answer();
    return std::move(converted_);
  }

  std::string message() const {
    if (invalid_ > 0) return "spans need a trace id and a span id";
    return "entries exceed their size limit";
  }

  std::string render_json_answer() const {
    const auto rejected = invalid_ + large_;
    if (rejected == 0) return "{}";
    const std::string_view name = traces_ ? "rejectedSpans" : "rejectedLogRecords";
    return R"({"partialSuccess":{")" + std::string(name) + R"(":")" + std::to_string(rejected) +
           R"(","errorMessage":)" + json_text(message()) + "}}";
  }

  // ExportTracePartialSuccess: rejected = 1 (varint), error_message = 2; in field 1 of the response.
  std::string render_protobuf_answer() const {
    auto rejected = invalid_ + large_;
    if (rejected == 0) return {};
    std::string partial = "\x08";
    for (; rejected >= 0x80; rejected >>= 7)
      partial += static_cast<char>((rejected & 0x7f) | 0x80);
    partial += static_cast<char>(rejected);
    partial += "\x12";
    partial += static_cast<char>(message().size());
    partial += message();
    return "\x0a" + std::string(1, static_cast<char>(partial.size())) + partial;
  }

  const Inbound& inbound_;
  const bool traces_;
  const std::uint64_t now_ns_;
  std::size_t entries_ = 0;
  std::uint64_t invalid_ = 0;
  std::uint64_t large_ = 0;
  std::uint64_t lost_events_ = 0;
  std::size_t event_bytes_ = 0;
  bool too_many_ = false;
  EnvelopeWriter envelope_;
  ContainerWriter spans_{envelope_, "span", most_spans_per_item};
  ContainerWriter logs_{envelope_, "log", most_logs_per_item};
  Converted converted_;
};

}  // namespace

std::variant<Converted, Refusal> convert_otlp_traces(const Inbound& inbound) {
  return OtlpConverter(inbound, true).run();
}

std::variant<Converted, Refusal> convert_otlp_logs(const Inbound& inbound) {
  return OtlpConverter(inbound, false).run();
}

}  // namespace picket::ingest

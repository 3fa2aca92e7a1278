// OTLP/HTTP: what OpenTelemetry's exporters post, in JSON and in protobuf, read one span or log
// record at a time: no tree of a request is built, whatever it claims to hold.
//
//   traces := resource { scope { span* }* }*      logs := resource { scope { record* }* }*
//
// https://opentelemetry.io/docs/specs/otlp/, field numbers of opentelemetry-proto 1.x
// THREADS  Everything from any thread.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest::otlp {

constexpr std::size_t max_depth = 32;           // of attribute values
constexpr std::size_t max_attributes = 1'000;   // of one list; more are passed over
constexpr std::size_t max_events = 1'000;       // of one span; likewise, and its links
constexpr std::size_t max_value_bytes = 1 << 20;  // of an array or map; what follows is passed over

struct Value {
  enum class Kind : std::uint8_t { none, text, flag, integer, number, json };
  Kind kind = Kind::none;
  std::string text;  // of Kind::text as it is (any bytes), else JSON
};

struct Attribute {
  std::string key;
  Value value;
};
using Attributes = std::vector<Attribute>;
const Value* find(const Attributes& attributes, std::string_view key);
// The text of a text, "" for all else.
std::string_view find_text(const Attributes& attributes, std::string_view key);

struct Scope {
  std::string name;
  std::string version;
  Attributes attributes;
};
struct Event {
  std::uint64_t time_ns = 0;
  std::string name;
  Attributes attributes;
};
struct Link {
  std::string trace_id;
  std::string span_id;
  std::uint32_t flags = 0;
  Attributes attributes;
};
// Ids are lower-case hex digits: 32 of a trace, 16 of a span, "" when absent, malformed or zero.
struct Span {
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;
  std::string trace_state;
  std::string name;
  std::uint32_t kind = 0;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  Attributes attributes;
  std::vector<Event> events;
  std::vector<Link> links;
  std::uint32_t status = 0;  // 1 ok, 2 error
  std::string status_message;
  std::uint32_t flags = 0;
};
struct Log {
  std::uint64_t time_ns = 0;
  std::uint64_t observed_ns = 0;
  std::uint32_t severity = 0;
  std::string severity_text;
  Value body;
  Attributes attributes;
  std::string trace_id;
  std::string span_id;
  std::string event_name;
};

// Called for each as it is read, also before a fault further on is found. False ends the reading.
struct Sink {
  std::function<bool(const Attributes& resource, const Scope& scope, const Span& span)> on_span;
  std::function<bool(const Attributes& resource, const Scope& scope, const Log& log)> on_log;
};

// Of an ExportTraceServiceRequest when the sink takes spans, of an ExportLogsServiceRequest when it
// takes logs. Fault::malformed for bytes that are neither.
Result<void> read_protobuf(std::string_view bytes, const Sink& sink);
Result<void> read_json(std::string_view bytes, const Sink& sink);

// "" unless there are `bytes` of them and not all are 0.
std::string hex_id(std::string_view raw, std::size_t bytes);

}  // namespace picket::ingest::otlp

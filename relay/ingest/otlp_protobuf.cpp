#include "relay/ingest/envelope_writer.h"
#include "relay/ingest/otlp.h"
#include "relay/ingest/telemetry_writer.h"
#include "relay/protocol/base64.h"

#include <bit>
#include <utility>

namespace picket::ingest::otlp {
namespace {

// One field of a message. Varints and fixed numbers are in `number`, the rest in `bytes`.
struct Field {
  std::uint32_t id = 0;
  std::uint32_t wire = 0;  // 0 varint, 1 64 bits, 2 length and bytes, 5 32 bits
  std::uint64_t number = 0;
  std::string_view bytes;

  bool holds(std::uint32_t wanted, std::uint32_t type) const { return id == wanted && wire == type; }
};

// The fields of a message in order. A field of an unexpected type is the caller's to pass over, as
// all of protobuf's readers do.
class Message {
 public:
  explicit Message(std::string_view bytes) : left_(bytes) {}

  // False at the end and at the first fault.
  bool next(Field& field) {
    if (left_.empty() || failed_) return false;
    std::uint64_t tag = 0;
    if (!varint(tag) || tag >> 3 == 0 || tag >> 32 != 0) return fail();
    field = {};
    field.id = static_cast<std::uint32_t>(tag >> 3);
    field.wire = static_cast<std::uint32_t>(tag & 7);
    switch (field.wire) {
      case 0: return varint(field.number) || fail();
      case 1: return fixed(field.number, 8) || fail();
      case 2: return length_and_bytes(field.bytes) || fail();
      case 5: return fixed(field.number, 4) || fail();
      default: return fail();  // groups are older than OTLP
    }
  }
  bool failed() const { return failed_; }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  bool varint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool fixed(std::uint64_t& value, std::size_t size) {
    if (left_.size() < size) return false;
    value = 0;
    for (std::size_t i = size; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(left_[i]);
    left_.remove_prefix(size);
    return true;
  }
  bool length_and_bytes(std::string_view& bytes) {
    std::uint64_t length = 0;
    if (!varint(length) || length > left_.size()) return false;
    bytes = left_.substr(0, static_cast<std::size_t>(length));
    left_.remove_prefix(static_cast<std::size_t>(length));
    return true;
  }

  std::string_view left_;
  bool failed_ = false;
};

bool read_value(std::string_view bytes, std::size_t depth, Value& value);

// The JSON of a value within an array or a map.
bool append_value(std::string_view bytes, std::size_t depth, std::string& json) {
  Value value;
  if (!read_value(bytes, depth, value)) return false;
  if (value.kind == Value::Kind::none) json += "null";
  json += value.kind == Value::Kind::text ? json_text(value.text) : value.text;
  return true;
}

bool append_entry(std::string_view bytes, std::size_t depth, std::string& json) {
  Message entry(bytes);
  std::string_view key;
  std::string_view value;
  for (Field field; entry.next(field);) {
    if (field.holds(1, 2)) key = field.bytes;
    if (field.holds(2, 2)) value = field.bytes;
  }
  json.append(json_text(key)).append(":");
  return !entry.failed() && append_value(value, depth, json);
}

// ArrayValue and KeyValueList: repeated field 1.
bool read_list(std::string_view bytes, std::size_t depth, bool map, Value& value) {
  if (depth == max_depth) return false;
  Message list(bytes);
  std::string json(1, map ? '{' : '[');
  for (Field field; list.next(field);) {
    if (!field.holds(1, 2) || json.size() > max_value_bytes) continue;
    if (json.size() > 1) json += ',';
    const bool read = map ? append_entry(field.bytes, depth + 1, json)
                          : append_value(field.bytes, depth + 1, json);
    if (!read) return false;
  }
  json += map ? '}' : ']';
  value = {Value::Kind::json, std::move(json)};
  return !list.failed();
}

bool read_value(std::string_view bytes, std::size_t depth, Value& value) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.holds(1, 2)) {
      value = {Value::Kind::text, std::string(field.bytes)};
    } else if (field.holds(2, 0)) {
      value = {Value::Kind::flag, field.number != 0 ? "true" : "false"};
    } else if (field.holds(3, 0)) {
      value = {Value::Kind::integer, std::to_string(static_cast<std::int64_t>(field.number))};
    } else if (field.holds(4, 1)) {
      const auto number = json_number(std::bit_cast<double>(field.number));
      value = {number.empty() ? Value::Kind::none : Value::Kind::number, number};
    } else if (field.holds(5, 2) || field.holds(6, 2)) {
      if (!read_list(field.bytes, depth, field.id == 6, value)) return false;
    } else if (field.holds(7, 2)) {
      value = {Value::Kind::text, relay::encode_base64(field.bytes)};
    }
  }
  return !message.failed();
}

bool read_attribute(std::string_view bytes, Attributes& attributes) {
  if (attributes.size() == max_attributes) return true;
  Message message(bytes);
  Attribute attribute;
  for (Field field; message.next(field);) {
    if (field.holds(1, 2)) attribute.key = field.bytes;
    if (field.holds(2, 2) && !read_value(field.bytes, 0, attribute.value)) return false;
  }
  if (!attribute.key.empty()) attributes.push_back(std::move(attribute));
  return !message.failed();
}

bool read_event(std::string_view bytes, Span& span) {
  if (span.events.size() == max_events) return true;
  Message message(bytes);
  auto& event = span.events.emplace_back();
  for (Field field; message.next(field);) {
    if (field.holds(1, 1)) event.time_ns = field.number;
    if (field.holds(2, 2)) event.name = field.bytes;
    if (field.holds(3, 2) && !read_attribute(field.bytes, event.attributes)) return false;
  }
  return !message.failed();
}

bool read_link(std::string_view bytes, Span& span) {
  if (span.links.size() == max_events) return true;
  Message message(bytes);
  auto& link = span.links.emplace_back();
  for (Field field; message.next(field);) {
    if (field.holds(1, 2)) link.trace_id = hex_id(field.bytes, 16);
    if (field.holds(2, 2)) link.span_id = hex_id(field.bytes, 8);
    if (field.holds(4, 2) && !read_attribute(field.bytes, link.attributes)) return false;
    if (field.holds(6, 5)) link.flags = static_cast<std::uint32_t>(field.number);
  }
  return !message.failed();
}

bool read_status(std::string_view bytes, Span& span) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.holds(2, 2)) span.status_message = field.bytes;
    if (field.holds(3, 0)) span.status = static_cast<std::uint32_t>(field.number);
  }
  return !message.failed();
}

bool read_span_text(const Field& field, Span& span, bool& good) {
  switch (field.id) {
    case 1: span.trace_id = hex_id(field.bytes, 16); return true;
    case 2: span.span_id = hex_id(field.bytes, 8); return true;
    case 3: span.trace_state = field.bytes; return true;
    case 4: span.parent_span_id = hex_id(field.bytes, 8); return true;
    case 5: span.name = field.bytes; return true;
    case 9: good = read_attribute(field.bytes, span.attributes); return true;
    case 11: good = read_event(field.bytes, span); return true;
    case 13: good = read_link(field.bytes, span); return true;
    case 15: good = read_status(field.bytes, span); return true;
    default: return false;
  }
}

bool read_span(std::string_view bytes, Span& span) {
  Message message(bytes);
  bool good = true;
  for (Field field; good && message.next(field);) {
    if (field.wire == 2 && read_span_text(field, span, good)) continue;
    if (field.holds(6, 0)) span.kind = static_cast<std::uint32_t>(field.number);
    if (field.holds(7, 1)) span.start_ns = field.number;
    if (field.holds(8, 1)) span.end_ns = field.number;
    if (field.holds(16, 5)) span.flags = static_cast<std::uint32_t>(field.number);
  }
  return good && !message.failed();
}

bool read_log(std::string_view bytes, Log& log) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.holds(1, 1)) log.time_ns = field.number;
    if (field.holds(2, 0)) log.severity = static_cast<std::uint32_t>(field.number);
    if (field.holds(3, 2)) log.severity_text = field.bytes;
    if (field.holds(5, 2) && !read_value(field.bytes, 0, log.body)) return false;
    if (field.holds(6, 2) && !read_attribute(field.bytes, log.attributes)) return false;
    if (field.holds(9, 2)) log.trace_id = hex_id(field.bytes, 16);
    if (field.holds(10, 2)) log.span_id = hex_id(field.bytes, 8);
    if (field.holds(11, 1)) log.observed_ns = field.number;
    if (field.holds(12, 2)) log.event_name = field.bytes;
  }
  return !message.failed();
}

bool read_scope(std::string_view bytes, Scope& scope) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.holds(1, 2)) scope.name = field.bytes;
    if (field.holds(2, 2)) scope.version = field.bytes;
    if (field.holds(3, 2) && !read_attribute(field.bytes, scope.attributes)) return false;
  }
  return !message.failed();
}

bool read_resource(std::string_view bytes, Attributes& attributes) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.holds(1, 2) && !read_attribute(field.bytes, attributes)) return false;
  }
  return !message.failed();
}

enum class Reading : std::uint8_t { on, enough, failed };

Reading read_entry(std::string_view bytes,
                   const Attributes& resource,
                   const Scope& scope,
                   const Sink& sink) {
  if (sink.on_span) {
    Span span;
    if (!read_span(bytes, span)) return Reading::failed;
    return sink.on_span(resource, scope, span) ? Reading::on : Reading::enough;
  }
  Log log;
  if (!read_log(bytes, log)) return Reading::failed;
  return sink.on_log(resource, scope, log) ? Reading::on : Reading::enough;
}

// Scopes and resources may follow what they are of: two passes over the message.
Reading read_scoped(std::string_view bytes, const Attributes& resource, const Sink& sink) {
  Scope scope;
  Message first(bytes);
  for (Field field; first.next(field);) {
    if (field.holds(1, 2) && !read_scope(field.bytes, scope)) return Reading::failed;
  }
  if (first.failed()) return Reading::failed;
  Message second(bytes);
  for (Field field; second.next(field);) {
    if (!field.holds(2, 2)) continue;
    const auto read = read_entry(field.bytes, resource, scope, sink);
    if (read != Reading::on) return read;
  }
  return Reading::on;
}

Reading read_of_resource(std::string_view bytes, const Sink& sink) {
  Attributes resource;
  Message first(bytes);
  for (Field field; first.next(field);) {
    if (field.holds(1, 2) && !read_resource(field.bytes, resource)) return Reading::failed;
  }
  if (first.failed()) return Reading::failed;
  Message second(bytes);
  for (Field field; second.next(field);) {
    if (!field.holds(2, 2)) continue;
    const auto read = read_scoped(field.bytes, resource, sink);
    if (read != Reading::on) return read;
  }
  return Reading::on;
}

}  // namespace

Result<void> read_protobuf(std::string_view bytes, const Sink& sink) {
  const Error malformed{Fault::malformed, "the body is not an OTLP message"};
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (!field.holds(1, 2)) continue;
    const auto read = read_of_resource(field.bytes, sink);
    if (read == Reading::failed) return malformed;
    if (read == Reading::enough) return {};
  }
  if (message.failed()) return malformed;
  return {};
}

}  // namespace picket::ingest::otlp

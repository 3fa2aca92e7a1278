// An Envelope is what one SDK request carries: a header line, then items, each with its own header
// line and payload. This file splits bytes and reads the header fields that Picket acts on; it
// interprets no payload.
//
//   envelope := header '\n' ( item_header '\n' payload '\n'? )*
//   payload  := exactly `length` bytes followed by '\n' or the end, when the item header names one;
//               otherwise everything up to the next '\n' or the end
//   blank lines before an item header and at the end are passed over
//
// https://develop.sentry.dev/sdk/data-model/envelopes/
//
// Every string_view points into the bytes passed in; unknown header keys and item types stay as
// they came because nothing is re-rendered unless it must change.
#pragma once

#include "buffer/result.h"
#include "relay/protocol/data_category.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

struct EventId {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const EventId&, const EventId&) = default;
};
Result<EventId> parse_event_id(std::string_view text);  // 32 hex digits, or a hyphenated UUID
std::string render_event_id(const EventId& id);         // 32 lowercase hex digits
std::string_view raw_bytes(const EventId& id);
std::optional<EventId> event_id_from_raw(std::string_view bytes);
EventId random_event_id();

struct Item {
  std::string_view header;  // one JSON object, unparsed
  std::string_view payload;
  std::string type;  // as written, "" when not a string (kept, category default)
  std::optional<std::size_t> length;
  std::string_view content_type;     // raw JSON string content, "" when absent
  std::string_view attachment_type;  // likewise
  std::uint32_t item_count = 1;      // of container items, at least 1; else 1
  std::optional<std::size_t> meta_length = {};  // of an attachment of a trace, see split_trace_attachment()
};

struct EnvelopeHeader {
  std::optional<EventId> event_id;
  std::string dsn;                         // "" when absent
  std::optional<std::int64_t> sent_at_ms;  // absent or unparsable: none
};

struct Envelope {
  std::string_view header;  // one JSON object, unparsed
  EnvelopeHeader fields;
  std::vector<Item> items;
};

struct EnvelopeLimits {
  std::size_t max_items = 10'000;
  std::size_t max_item_header_bytes = std::size_t{64} * 1024;
};

// REQUIRES: `bytes` outlives the returned Envelope.
Result<Envelope> parse_envelope(std::string_view bytes, const EnvelopeLimits& limits = {});

// Only the first line: cheap, for a forwarder that has to change it.
struct SplitEnvelope {
  std::string_view header;
  std::string_view rest;  // everything after the header's '\n'
};
SplitEnvelope split_header(std::string_view bytes);
Result<EnvelopeHeader> parse_envelope_header(std::string_view header);

// The header with some fields replaced, every other byte kept. A key given twice is replaced twice.
struct HeaderChange {
  std::optional<std::string> dsn;               // replaced when the header has one
  std::optional<std::int64_t> sent_at_ms;       // replaced when the header has one
  std::optional<std::string> trace_public_key;  // trace.public_key, replaced when there
  std::optional<std::string> event_id;          // set, also when absent
};
Result<std::string> render_changed_header(std::string_view header, const HeaderChange& change);

// The item's header for a payload of another length: `length`, added when it had none, and the
// `meta_length` of an attachment of a trace, whose body has kept its own. Every other byte is kept.
std::string render_item_header(const Item& item, std::size_t length);
// The item with such a payload in place of its own.
Item with_payload(const Item& item, std::string_view payload);

// RFC 3339 with milliseconds and 'Z'; and the tolerant reading of what SDKs send (offsets, no
// fraction, up to nanoseconds, a space for the T, a float of seconds).
std::string render_timestamp(std::int64_t ms);
std::optional<std::int64_t> parse_timestamp(std::string_view text);

// The category of an item as quotas and outcomes count it (relay/protocol/data_category.h).
// An `event` is `error` until its payload says otherwise; see digest.
DataCategory category_of(const Item& item);

// True for the types that belong to an event and need an event id: event, transaction, security,
// attachment, user_report, feedback, …
bool requires_event_id(const Item& item);

// An attachment that belongs to a trace instead, by its content type. Its payload says of itself what
// the header of an event's attachment says:
//
//   payload := JSON object of `meta_length` bytes | body
//
// https://develop.sentry.dev/sdk/foundations/envelopes/envelope-items/#trace-attachment
bool is_trace_attachment(const Item& item);
struct TraceAttachment {
  std::string_view meta;
  std::string_view body;
};
// Nothing for other items, and for one whose header does not say where its body begins.
std::optional<TraceAttachment> split_trace_attachment(const Item& item);
// It names the span that it belongs to, or null for one of those beside it; without, it is the trace's alone.
bool belongs_to_span(const Item& item);

}  // namespace picket::relay

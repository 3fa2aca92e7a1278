// The body of the old store endpoint, and the envelope it is wrapped into: everything in the
// journal is an envelope.
//
//   body := JSON object | base64(JSON object) | base64(zlib(JSON object))
//
// Which it is shows in the first byte: only an object begins with '{'.
#pragma once

#include "relay/ingest/endpoint.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/envelope.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace picket::ingest {

struct WrappedEvent {
  std::string envelope;  // bytes, ready for parse_envelope()
  relay::EventId event_id;
};

// `body` is the request's body after its Content-Encoding was undone. The event id is the
// payload's, or a new one. Text that is no JSON only for old SDKs' known faults is mended
// (relay/protocol/json_repair.h).
std::variant<WrappedEvent, Refusal> wrap_store_body(std::string_view body,
                                                    std::size_t max_event_bytes);

// The store endpoint's converter (endpoint.h).
std::variant<Converted, Refusal> convert_store(const Inbound& inbound);

// The event_id of an event's payload, for envelopes whose header has none.
std::optional<relay::EventId> find_event_id(std::string_view payload);

}  // namespace picket::ingest

// The bytes of a request's body on their way to a record.
#pragma once

#include "buffer/bytes.h"
#include "buffer/journal.h"
#include "buffer/spool.h"
#include "relay/http/message.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/content_stream.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picket::ingest {

using Codings = std::vector<relay::Coding>;

// What `bytes` shows is owned by one of the two, which stay where they are.
struct RequestBody {
  buffer::Bytes as_sent;
  Codings codings;
  buffer::Bytes rewritten;  // decoded, or converted; unused for identity
  std::string_view bytes;

  // From now on the body is `envelope`, and what was sent is let go.
  void become(buffer::Bytes envelope);
};

// Where a body is worked on, and how patiently.
struct Workplace {
  buffer::ByteRoom room;
  // Larger bodies are somebody else's work: those of an I/O thread, which must not be held up.
  std::size_t most_bytes = SIZE_MAX;
};

Refusal too_large(std::string_view cause);

std::variant<Codings, Refusal> find_codings(const http::RequestHead& head);

// Uses up the request's body and undoes its codings, within `max_bytes`. Fills `body`.
// `too_much` is set, and the request as it was, when that is too much for the workplace.
std::optional<Refusal> open_body(http::Request& request,
                                 std::size_t max_bytes,
                                 const Workplace& workplace,
                                 RequestBody& body,
                                 bool& too_much);

// Into the record: as it was sent when that is one coding of the bytes to keep, else as zstd or as
// it is.
std::optional<Refusal> keep_body(RequestBody&& body,
                                 bool as_sent,
                                 const buffer::ByteRoom& room,
                                 buffer::Record& record);

// 503: no room in memory, the spool or on the disk.
Refusal no_room(std::string_view cause);

}  // namespace picket::ingest

// The bytes of a request's body on their way to a record.
#pragma once

#include "buffer/journal.h"
#include "relay/http/message.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/content_encoding.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace picket::ingest {

using Codings = std::vector<relay::Coding>;

// What `bytes` shows is owned by one of the two strings, which stay where they are.
struct RequestBody {
  std::string as_sent;
  Codings codings;
  std::string rewritten;  // decoded, or converted; unused for identity
  std::string_view bytes;

  // From now on the body is `envelope`, and what was sent is let go.
  void become(std::string envelope);
};

Refusal too_large(std::string_view cause);

std::variant<Codings, Refusal> find_codings(const http::RequestHead& head);

// Uses up the request's body and undoes its codings, within `max_bytes`. Fills `body`.
std::optional<Refusal> open_body(http::Request& request, std::size_t max_bytes, RequestBody& body);

// Into the record: as it was sent when that is one coding of the bytes to keep, else as zstd or as
// it is.
void keep_body(RequestBody&& body, bool as_sent, buffer::Record& record);

}  // namespace picket::ingest

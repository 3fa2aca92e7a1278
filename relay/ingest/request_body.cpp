#include "relay/ingest/request_body.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace picket::ingest {
namespace {

// Below this, zstd saves less than the record's own overhead; above, without a spool, it would hold
// up the I/O thread.
constexpr std::size_t least_packed_bytes = 1024;
constexpr std::size_t most_packed_bytes = 16 << 20;

std::optional<Refusal> decode_body(RequestBody& body,
                                   std::size_t max_bytes,
                                   const Workplace& workplace,
                                   bool& too_much) {
  if (body.codings.empty()) {
    body.bytes = body.as_sent;
    if (body.bytes.size() > max_bytes) return too_large("the body exceeds the size limit");
    return std::nullopt;
  }
  const auto most = std::min(max_bytes, workplace.most_bytes);
  auto decoded = body.codings.size() == 1
                     ? relay::decode_bytes(body.as_sent, body.codings.front(), most, workplace.room)
                     : relay::decode_bytes(body.as_sent, body.codings, most, workplace.room);
  if (!decoded) {
    too_much = decoded.error().fault == Fault::too_large && most < max_bytes;
    if (decoded.error().fault == Fault::unavailable) return no_room(decoded.error().detail);
    if (decoded.error().fault == Fault::too_large)
      return too_large("the decompressed body exceeds the size limit");
    return make_refusal(400, "invalid compression", decoded.error().detail, "invalid_compression");
  }
  body.rewritten = *std::move(decoded);
  body.bytes = body.rewritten;
  return std::nullopt;
}

}  // namespace

void RequestBody::become(buffer::Bytes envelope) {
  rewritten = std::move(envelope);
  bytes = rewritten;
  as_sent = {};
  codings.clear();
}

Refusal too_large(std::string_view cause) {
  return make_refusal(413, "payload too large", cause, "too_large");
}

std::variant<Codings, Refusal> find_codings(const http::RequestHead& head) {
  auto codings = relay::parse_content_encoding(head.headers.find("Content-Encoding"));
  if (!codings) {
    return make_refusal(415, "unsupported content encoding", codings.error().detail,
                        "content_type");
  }
  return *std::move(codings);
}

Refusal no_room(std::string_view cause) {
  return make_refusal(503, "could not be stored", cause, "internal");
}

std::optional<Refusal> open_body(http::Request& request,
                                 std::size_t max_bytes,
                                 const Workplace& workplace,
                                 RequestBody& body,
                                 bool& too_much) {
  auto codings = find_codings(request.head);
  if (auto* refusal = std::get_if<Refusal>(&codings)) return std::move(*refusal);
  body.as_sent = std::move(request.body);
  body.codings = std::get<Codings>(std::move(codings));
  auto refusal = decode_body(body, max_bytes, workplace, too_much);
  if (too_much) request.body = std::move(body.as_sent);
  return refusal;
}

std::optional<Refusal> keep_body(RequestBody&& body,
                                 bool as_sent,
                                 const buffer::ByteRoom& room,
                                 buffer::Record& record) {
  if (as_sent && body.codings.size() == 1) {
    record.coding = static_cast<std::uint8_t>(body.codings.front());
    record.body = std::move(body.as_sent);
    return std::nullopt;
  }
  const auto size = body.bytes.size();
  if (room.spool && size > room.spool->above_bytes()) {
    auto packed = relay::encode_bytes({&body.bytes, 1}, relay::Coding::zstd, 1, room);
    if (!packed) return no_room(packed.error().detail);
    record.coding = static_cast<std::uint8_t>(relay::Coding::zstd);
    record.body = *std::move(packed);
    return std::nullopt;
  }
  if (size >= least_packed_bytes && size <= most_packed_bytes) {
    record.coding = static_cast<std::uint8_t>(relay::Coding::zstd);
    record.body = relay::encode_zstd(body.bytes, 1);
    return std::nullopt;
  }
  record.coding = static_cast<std::uint8_t>(relay::Coding::identity);
  record.body = body.bytes.data() == body.as_sent.data() ? std::move(body.as_sent)
                                                         : std::move(body.rewritten);
  return std::nullopt;
}

}  // namespace picket::ingest

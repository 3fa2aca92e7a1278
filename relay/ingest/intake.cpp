#include "relay/ingest/intake.h"

#include "relay/ingest/intake_meta.h"
#include "relay/ingest/item_limits.h"
#include "relay/ingest/store_body.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

namespace picket::ingest {
namespace {

using Codings = std::vector<relay::Coding>;

// Below this, zstd saves less than the record's own overhead; above, it would hold up the I/O
// thread.
constexpr std::size_t least_packed_bytes = 1024;
constexpr std::size_t most_packed_bytes = 16 << 20;

Refusal refuse(unsigned status,
               std::string_view detail,
               std::string_view cause,
               std::string_view reason) {
  Refusal refusal;
  refusal.status = status;
  refusal.detail = detail;
  refusal.cause = cause;
  refusal.reason = reason;
  return refusal;
}

Refusal too_large(std::string_view cause) {
  return refuse(413, "payload too large", cause, "too_large");
}

std::variant<Codings, Refusal> find_codings(const http::RequestHead& head) {
  auto codings = relay::parse_content_encoding(head.headers.find("Content-Encoding"));
  if (!codings)
    return refuse(415, "unsupported content encoding", codings.error().detail, "content_type");
  return *std::move(codings);
}

bool has_envelope_type(const http::RequestHead& head) {
  return head.headers.find("Content-Type").starts_with("application/x-sentry-envelope");
}

// An envelope wherever it came: on its own endpoint, or on store by its content type.
bool is_envelope(const http::RequestHead& head, const Route& route) {
  return route.endpoint == Endpoint::envelope || has_envelope_type(head);
}

// The bytes of a body through its way to an envelope. What `bytes` shows is owned by one of the two
// strings, which stay where they are.
struct Body {
  std::string as_sent;
  Codings codings;
  std::string rewritten;  // decoded, or wrapped; unused for identity
  std::string_view bytes;
};

std::optional<Refusal> decode_body(Body& body, std::size_t max_bytes) {
  if (body.codings.empty()) {
    body.bytes = body.as_sent;
    if (body.bytes.size() > max_bytes) return too_large("the body exceeds the size limit");
    return std::nullopt;
  }
  auto decoded = body.codings.size() == 1
                     ? relay::decode(body.as_sent, body.codings.front(), max_bytes)
                     : relay::decode(body.as_sent, body.codings, max_bytes);
  if (!decoded) {
    if (decoded.error().fault == Fault::too_large)
      return too_large("the decompressed body exceeds the size limit");
    return refuse(400, "invalid compression", decoded.error().detail, "invalid_compression");
  }
  body.rewritten = *std::move(decoded);
  body.bytes = body.rewritten;
  return std::nullopt;
}

std::optional<relay::EventId> find_or_make_event_id(const relay::Envelope& envelope) {
  if (envelope.fields.event_id) return envelope.fields.event_id;
  const bool needed =
      std::any_of(envelope.items.begin(), envelope.items.end(), relay::requires_event_id);
  if (!needed) return std::nullopt;
  // A repeated delivery must get the same id again, or it would count as another event.
  for (const auto& item : envelope.items) {
    if (item.type != "event" && item.type != "transaction") continue;
    if (const auto id = find_event_id(item.payload)) return id;
  }
  return relay::random_event_id();
}

std::optional<Refusal> check_items(const relay::Envelope& envelope, const IngestConfig& config) {
  if (std::any_of(envelope.items.begin(), envelope.items.end(), is_internal)) {
    return refuse(400, "invalid envelope", "an item type is reserved for internal use",
                  "invalid_envelope");
  }
  const auto exceeded = find_exceeded_limit(envelope, config);
  if (exceeded.empty()) return std::nullopt;
  const auto reason = "too_large:" + std::string(exceeded);
  return refuse(413, "payload too large",
                "an item exceeds its size limit: " + std::string(exceeded), reason);
}

void keep_body(Body&& body, bool as_sent, buffer::Record& record) {
  if (as_sent && body.codings.size() == 1) {
    record.coding = static_cast<std::uint8_t>(body.codings.front());
    record.body = std::move(body.as_sent);
    return;
  }
  const auto size = body.bytes.size();
  if (size >= least_packed_bytes && size <= most_packed_bytes) {
    record.coding = static_cast<std::uint8_t>(relay::Coding::zstd);
    record.body = relay::encode_zstd(body.bytes, 1);
    return;
  }
  record.coding = static_cast<std::uint8_t>(relay::Coding::identity);
  record.body = body.bytes.data() == body.as_sent.data() ? std::move(body.as_sent)
                                                         : std::move(body.rewritten);
}

std::size_t most_bytes(bool envelope, const IngestConfig& config) {
  // An event as base64 is a third larger than its JSON.
  return static_cast<std::size_t>(envelope ? config.max_envelope_bytes
                                           : 2 * config.max_event_bytes);
}

// Fills `body` up to the bytes of an envelope.
std::optional<Refusal> open_body(http::Request& request,
                                 bool envelope,
                                 const IngestConfig& config,
                                 Body& body) {
  auto codings = find_codings(request.head);
  if (auto* refusal = std::get_if<Refusal>(&codings)) return std::move(*refusal);
  body.as_sent = std::move(request.body);
  body.codings = std::get<Codings>(std::move(codings));
  if (auto refusal = decode_body(body, most_bytes(envelope, config))) return refusal;
  if (envelope) return std::nullopt;
  auto wrapped = wrap_store_body(body.bytes, config.max_event_bytes);
  if (auto* refusal = std::get_if<Refusal>(&wrapped)) return std::move(*refusal);
  body.rewritten = std::move(std::get<WrappedEvent>(wrapped).envelope);
  body.bytes = body.rewritten;
  return std::nullopt;
}

Refusal bad_envelope(const Error& error) {
  if (error.fault == Fault::too_large) return too_large(error.detail);
  return refuse(400, "invalid envelope", error.detail, "invalid_envelope");
}

std::optional<std::uint64_t> find_content_length(const http::RequestHead& head) {
  const auto text = head.headers.find("Content-Length");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

std::variant<Passed, Refusal> Intake::check_head(const http::RequestHead& head,
                                                 const Route& route) const {
  auto checked = gate_.check_head(head, route);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
  auto& sender = std::get<std::optional<Sender>>(checked);
  const bool envelope = is_envelope(head, route);
  if (!sender && !envelope) return missing_key();
  const auto refused = [&](Refusal refusal) {
    refusal.sender = std::move(sender);
    return refusal;
  };
  auto codings = find_codings(head);
  if (auto* refusal = std::get_if<Refusal>(&codings)) return refused(std::move(*refusal));
  const auto most = most_bytes(envelope, config_);
  const auto length = find_content_length(head);
  if (length && *length > most) return refused(too_large("the body exceeds the size limit"));
  return Passed{std::move(sender), most};
}

std::variant<Taken, Refusal> Intake::take_in(http::Request& request,
                                             const Route& route,
                                             Time now) const {
  auto checked = gate_.check_head(request.head, route);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
  auto sender = std::get<std::optional<Sender>>(std::move(checked));
  const bool envelope_sent = is_envelope(request.head, route);
  if (!sender && !envelope_sent) return missing_key();

  Taken taken;
  const auto refused = [&](Refusal refusal) {
    if (!refusal.sender) refusal.sender = std::move(sender);
    refusal.items = std::move(taken.items);
    return refusal;
  };
  Body body;
  if (auto refusal = open_body(request, envelope_sent, config_, body))
    return refused(*std::move(refusal));
  relay::EnvelopeLimits limits;
  limits.max_items = static_cast<std::size_t>(config_.max_items);
  const auto envelope = relay::parse_envelope(body.bytes, limits);
  if (!envelope) return refused(bad_envelope(envelope.error()));

  taken.items = count_items(*envelope);
  auto agreed = gate_.check_dsn(sender, envelope->fields.dsn, route);
  if (auto* refusal = std::get_if<Refusal>(&agreed)) return refused(std::move(*refusal));
  taken.sender = std::get<Sender>(std::move(agreed));
  sender = taken.sender;
  if (auto refusal = check_items(*envelope, config_)) return refused(*std::move(refusal));
  if (envelope->items.empty()) return taken;

  auto meta = make_intake_meta(request.head, taken.sender.client);
  meta.set_store_endpoint(!envelope_sent);
  meta.set_sent_at_ms(envelope->fields.sent_at_ms.value_or(0));
  if (const auto id = find_or_make_event_id(*envelope)) {
    taken.event_id = relay::render_event_id(*id);
    meta.set_event_id(std::string(relay::raw_bytes(*id)));
  }
  describe_envelope(*envelope, taken.items, taken.sender.key, meta);
  auto& record = taken.record.emplace();
  record.received = now;
  record.project = taken.sender.project;
  record.key = relay::raw_bytes(taken.sender.key);
  record.meta = meta.SerializeAsString();
  keep_body(std::move(body), envelope_sent, record);
  return taken;
}

}  // namespace picket::ingest

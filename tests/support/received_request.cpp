#include "support/received_request.h"

#include "relay/protocol/content_encoding.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/envelope_batch.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace picket::testing {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

std::string auth_value(std::string_view auth, std::string_view name) {
  const auto at = auth.find(std::string(name) + "=");
  if (at == std::string_view::npos) return {};
  const auto value = auth.substr(at + name.size() + 1);
  return std::string(value.substr(0, value.find_first_of(", ")));
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Received parse_head(std::string_view head) {
  Received received;
  const auto line = head.substr(0, head.find("\r\n"));
  const auto from = line.find(' ');
  const auto to = line.rfind(' ');
  if (from != std::string_view::npos && to > from) received.path = line.substr(from + 1, to - from - 1);
  head.remove_prefix(std::min(head.size(), line.size() + 2));
  while (!head.empty()) {
    const auto field = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), field.size() + 2));
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) continue;
    auto value = field.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    received.headers.emplace_back(field.substr(0, colon), value);
  }
  const auto auth = received.find_header("X-Sentry-Auth");
  received.key = auth_value(auth, "sentry_key");
  received.client = auth_value(auth, "sentry_client");
  received.coding = received.find_header("Content-Encoding");
  if (received.path.starts_with("/api/")) received.project = number(std::string_view(received.path).substr(5));
  return received;
}

void decode_body(Received& received, std::string_view body) {
  if (received.path == relay::batch_path) {
    received.envelope = body;
    return;
  }
  const auto codings = relay::parse_content_encoding(received.coding);
  if (!codings) return;
  auto decoded = relay::decode(body, *codings, std::size_t{1} << 30);
  if (!decoded) return;
  received.envelope = *std::move(decoded);
  received.event_id = event_id_of(received.envelope);
}

std::string event_id_of(std::string_view envelope) {
  const auto fields = relay::parse_envelope_header(relay::split_header(envelope).header);
  return fields && fields->event_id ? relay::render_event_id(*fields->event_id) : std::string();
}

std::size_t parse_length(const Received& received) {
  return number(received.find_header("Content-Length"));
}

std::string_view Received::find_header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_name(field, name)) return value;
  }
  return {};
}

}  // namespace picket::testing

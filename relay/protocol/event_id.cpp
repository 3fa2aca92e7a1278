#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

namespace picket::relay {

Result<EventId> parse_event_id(std::string_view text) {
  const Error malformed{Fault::malformed, "event id is not a UUID of 32 hex digits"};
  std::string digits;
  if (text.size() == 36) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
      if (hyphen != (text[i] == '-')) return malformed;
      if (!hyphen) digits += text[i];
    }
    text = digits;
  }
  if (text.size() != 32) return malformed;
  EventId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const auto high = hex_digit(text[2 * i]);
    const auto low = hex_digit(text[2 * i + 1]);
    if (!high || !low) return malformed;
    id.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return id;
}

std::string render_event_id(const EventId& id) {
  return render_hex(raw_bytes(id));
}

std::string_view raw_bytes(const EventId& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::optional<EventId> event_id_from_raw(std::string_view bytes) {
  EventId id;
  if (bytes.size() != id.bytes.size()) return std::nullopt;
  std::transform(bytes.begin(), bytes.end(), id.bytes.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

EventId random_event_id() {
  EventId id;
  // Up to 256 bytes come whole or not at all, and not at all means a kernel without entropy.
  const auto got = getrandom(id.bytes.data(), id.bytes.size(), 0);
  if (got != static_cast<ssize_t>(id.bytes.size())) std::abort();
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // UUID version 4
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);  // RFC 4122 variant
  return id;
}

}  // namespace picket::relay

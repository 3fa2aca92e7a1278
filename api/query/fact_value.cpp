// Values of facts by themselves, and the ids of rows that have none of their own.
#include "api/query/block_fields.h"

#include "buffer/keys.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/hex.h"

#include <array>
#include <charconv>

namespace picket::query {

using facts::Dataset;
using Kind = FactValue::Kind;

std::optional<double> FactValue::as_number() const {
  if (kind == Kind::number) return number;
  if (kind == Kind::integer || kind == Kind::boolean) return static_cast<double>(integer);
  if (kind != Kind::text || text.empty()) return std::nullopt;
  double read = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), read);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return read;
}

std::string FactValue::as_text() const {
  switch (kind) {
    case Kind::none: return {};
    case Kind::text:
    case Kind::array: return std::string(text);
    case Kind::integer: return std::to_string(integer);
    case Kind::boolean: return integer != 0 ? "true" : "false";
    case Kind::number: {
      std::array<char, 64> room;
      const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
      return {room.data(), end};
    }
  }
  std::abort();
}

std::string render_item_id(Dataset dataset, const facts::Place& place) {
  buffer::Key key;
  key.u8(static_cast<std::uint8_t>(dataset)).u8(0).u64(place.sequence).u16(place.item).u32(place.index);
  return relay::render_hex(key.view());
}

std::optional<ItemId> parse_item_id(std::string_view text) {
  const auto id = text.size() == 32 ? relay::parse_event_id(text) : Result<relay::EventId>(Error{});
  if (!id) return std::nullopt;
  buffer::KeyReader key(relay::raw_bytes(*id));
  const auto dataset = key.u8();
  if (dataset < 1 || dataset > 5 || key.u8() != 0) return std::nullopt;
  ItemId item;
  item.dataset = static_cast<Dataset>(dataset);
  item.place.sequence = key.u64();
  item.place.item = key.u16();
  item.place.index = key.u32();
  return item;
}

}  // namespace picket::query

#include "relay/protocol/stored_body.h"

#include "relay/protocol/content_encoding.h"

#include <utility>

namespace picket::relay {

std::optional<buffer::PlainBody> open_stored_body(const buffer::StoredRecord& record) {
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  if (record.coding == static_cast<std::uint8_t>(Coding::identity) || record.coding > static_cast<std::uint8_t>(Coding::zstd)) {
    return std::nullopt;
  }
  auto plain = decode(record.body, static_cast<Coding>(record.coding), most_bytes);
  if (!plain) return std::nullopt;
  return buffer::PlainBody{*std::move(plain), static_cast<std::uint8_t>(Coding::identity)};
}

}  // namespace picket::relay

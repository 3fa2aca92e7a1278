// The payload behind a row: rows say where an item lies in the journal, this reads it there.
#pragma once

#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/envelope.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace picket::digest {

struct ItemPayload {
  buffer::Sequence sequence = 0;
  std::uint16_t item = 0;
  std::uint64_t project = 0;
  Time received{};
  schema::IntakeMeta meta;
  relay::Envelope envelope;  // all items, by index: the event's attachments are among them
  std::shared_ptr<const buffer::Bytes> bytes;  // what the envelope's views point into
  // Set for a browser's report: the event made of it, which is then the own item's payload.
  std::shared_ptr<const std::string> made;

  const relay::Item& own() const { return envelope.items[item]; }  // header, payload, type …
};

// Fault::not_found when the journal has let go of the record or it has no such item, Fault::corrupt
// when it is damaged, Fault::too_large past `max_bytes` decoded.
Result<ItemPayload> read_payload(const buffer::Journal& journal,
                                 buffer::Sequence sequence,
                                 std::uint16_t item,
                                 std::size_t max_bytes = std::size_t{256} << 20);

// The type that the item's row in raw_items has: text, of at most 200 characters, never empty.
std::string raw_type(const relay::Item& item);

}  // namespace picket::digest

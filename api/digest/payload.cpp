#include "api/digest/payload.h"

#include "api/digest/security_event.h"
#include "api/digest/text.h"
#include "relay/protocol/content_stream.h"
#include "relay/protocol/json_repair.h"

#include <utility>

namespace picket::digest {
namespace {

Result<buffer::Bytes> decoded_body(const buffer::StoredRecord& record,
                                   std::size_t max_bytes,
                                   const relay::Room& room) {
  if (record.coding > static_cast<std::uint8_t>(relay::Coding::zstd)) {
    return Error{Fault::corrupt, "unknown coding " + std::to_string(record.coding)};
  }
  const auto coding = static_cast<relay::Coding>(record.coding);
  if (coding == relay::Coding::identity) return record.keep_body();
  auto decoded = relay::decode_bytes(record.body, coding, max_bytes, room);
  if (!decoded && decoded.error().fault == Fault::malformed)
    return Error{Fault::corrupt, decoded.error().detail};
  return decoded;
}

}  // namespace

std::string raw_type(const relay::Item& item) {
  const auto type = first_characters(item.type, 200);
  return relay::repair_utf8(type.empty() ? "unknown" : type);
}

Result<ItemPayload> read_payload(const buffer::Journal& journal,
                                 buffer::Sequence sequence,
                                 std::uint16_t item,
                                 std::size_t max_bytes) {
  const auto batch = journal.read_one(sequence);
  if (!batch) return batch.error();
  if (batch->records.empty())
    return Error{Fault::not_found, "no record " + std::to_string(sequence)};
  const auto& record = batch->records.front();
  if (record.kind != buffer::RecordKind::envelope)
    return Error{Fault::not_found, "not an envelope"};
  if (record.dropped()) return Error{Fault::not_found, "it was dropped for want of room"};
  auto body = decoded_body(record, max_bytes, journal.reading_room());
  if (!body) return body.error();
  ItemPayload payload;
  payload.bytes = std::make_shared<const buffer::Bytes>(*std::move(body));
  auto envelope = relay::parse_envelope(*payload.bytes);
  if (!envelope) return Error{Fault::corrupt, envelope.error().detail};
  if (item >= envelope->items.size())
    return Error{Fault::not_found, "no item " + std::to_string(item)};
  payload.envelope = *std::move(envelope);
  payload.sequence = sequence;
  payload.item = item;
  payload.project = record.project;
  payload.received = record.received;
  payload.meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
  auto& own = payload.envelope.items[item];
  if (own.type == "raw_security") {
    payload.made = std::make_shared<const std::string>(render_security_event(own, payload.meta));
    own.payload = *payload.made;
  }
  return payload;
}

}  // namespace picket::digest

// Items that carry an event: errors, messages, security reports, transactions, feedback.
#include "api/digest/derived_tags.h"
#include "api/digest/item_reader.h"
#include "api/digest/title.h"
#include "buffer/keys.h"
#include "relay/protocol/json_repair.h"

namespace picket::digest {
namespace {

using relay::Outcome;

// The envelope's id is that of its first event; one that follows may bring its own.
relay::EventId id_of(EnvelopeContext& context, const Event& event, std::uint16_t index) {
  const bool first = !context.id_given;
  context.id_given = true;
  if (first && context.header_id) return *context.header_id;
  if (event.id) return *event.id;
  if (context.header_id) return *context.header_id;
  // The same at each reading, so that reading again is no second event.
  const auto made = md5_of(buffer::Key().u64(context.record.sequence).u16(index));
  return relay::event_id_from_raw(raw_bytes(made)).value_or(relay::EventId());
}

void add_event(EnvelopeContext& context,
               const Event& event,
               const relay::EventId& id,
               std::uint16_t index) {
  auto& batch = context.batch;
  auto& text = batch.text;
  auto& added = batch.events.emplace_back();
  added.place = context.place(index);
  added.id = id;
  added.timestamp_ms = corrected_timestamp(event.timestamp_ms, context.sent_at_ms,
                                           added.place.received_ms, context.config.max_event_age);
  added.category = category_of(event.type);
  added.level = event.level_or_default();
  added.has_issue = event.type != EventType::transaction && event.type != EventType::feedback;
  added.release = text.keep(event.release);
  added.environment = text.keep(event.environment);
  added.trace_id = text.keep(event.trace_id);
  if (!added.has_issue) return;
  added.handled = event.handled();
  added.type = wire_name(event.type);
  added.platform = text.keep(event.platform.empty() ? "other" : event.platform);
  added.logger = text.keep(event.logger);
  const auto title = title_of(event);
  added.title = text.keep(title.title);
  added.culprit = text.keep(title.culprit);
  added.metadata_json = text.keep(title.metadata_json);
  added.hashes = hashes_of(event);
  added.first_tag = batch.tag_ids.size();
  // Derived texts are short-lived: interning keeps its own copy, once per different tag.
  TextArena derived(512);
  for (const auto& tag : tags_of(event, derived)) {
    batch.tag_ids.push_back(batch.tags.intern(tag, text));
    if (tag.key == "user") added.user = batch.tag_ids.back();
  }
  added.tag_count = batch.tag_ids.size() - added.first_tag;
}

}  // namespace

void read_event_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  auto read = parse_event(item.payload);
  if (!read) {
    const bool large = read.error().fault == Fault::too_large;
    return context.count(relay::category_of(item), Outcome::invalid,
                         large ? "too_large" : "invalid_json", 1);
  }
  Event& event = *read;
  settle(event, {.item_type = item.type, .remote_address = context.meta.remote_address()});
  const auto id = id_of(context, event, index);
  add_event(context, event, id, index);
  if (event.type == EventType::feedback) add_raw(context, item, index, id);
}

}  // namespace picket::digest

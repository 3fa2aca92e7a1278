// Items that carry an event: errors, messages, security reports, transactions, feedback.
#include "api/digest/derived_tags.h"
#include "api/digest/fact_values.h"
#include "api/digest/issue_texts.h"
#include "api/digest/item_reader.h"
#include "api/digest/security_event.h"
#include "api/digest/title.h"
#include "buffer/keys.h"
#include "relay/protocol/json_object.h"
#include "relay/protocol/json_repair.h"
#include "relay/protocol/md5.h"

#include <string>
#include <utility>

namespace picket::digest {
namespace {

using relay::Outcome;

// The envelope's id is that of its first event; one that follows may bring its own.
relay::EventId id_of(EnvelopeContext& context, const Event& event, std::uint16_t index) {
  const bool first = !context.id_given;
  context.id_given = true;
  if (first && context.header_id) return *context.header_id;
  if (event.id) return *event.id;
  // Several reports of a browser come together; nobody gave the others an id.
  if (context.header_id && !is_security(event.type)) return *context.header_id;
  // The same at each reading, so that reading again is no second event.
  const auto made = relay::md5_of(buffer::Key().u64(context.record.sequence).u16(index));
  return relay::event_id_from_raw(raw_bytes(made)).value_or(relay::EventId());
}

}  // namespace

DigestedEvent& add_event(ParsedBatch& batch,
                         const Event& event,
                         const ItemPlace& place,
                         const relay::EventId& id,
                         std::int64_t timestamp_ms,
                         const FactContext* fact_place) {
  auto& text = batch.text;
  auto& added = batch.events.emplace_back();
  added.place = place;
  added.id = id;
  added.timestamp_ms = timestamp_ms;
  added.category = category_of(event.type);
  added.level = event.level_or_default();
  added.has_issue = event.type != EventType::transaction;
  added.release = text.keep(event.release);
  added.environment = text.keep(event.environment);
  if (!added.has_issue) return added;
  added.handled = event.handled();
  added.type = wire_name(event.type);
  added.platform = text.keep(event.platform.empty() ? "other" : event.platform);
  added.logger = text.keep(event.logger);
  const auto title = title_of(event);
  added.title = text.keep(title.title);
  added.culprit = text.keep(title.culprit);
  added.metadata_json = text.keep(title.metadata_json);
  if (event.type == EventType::feedback) {
    // Each stands for itself.
    added.issue_type = "feedback";
    added.hashes = {relay::md5_of("feedback" + std::string(relay::raw_bytes(id)))};
  } else {
    auto grouping = batch.groupings == nullptr
                        ? group_event(event, grouping::Config::defaults())
                        : group_event(event, batch.groupings->of(place.project));
    added.hashes = std::move(grouping.hashes);
    if (grouping.title) added.title = text.keep(ellipsed(*grouping.title, 255));
  }
  added.first_tag = batch.tag_ids.size();
  // Derived texts are short-lived: interning keeps its own copy, once per different tag.
  TextArena derived(512);
  auto tags = tags_of(event, derived);
  const auto own_tags = tags.size();
  for (const auto& flag : flag_tags_of(event, derived)) tags.push_back(flag);
  for (const auto& tag : tags) {
    batch.tag_ids.push_back(batch.tags.intern(tag));
    if (tag.key == "user") added.user = batch.tag_ids.back();
  }
  added.tag_count = batch.tag_ids.size() - added.first_tag;
  if (const auto texts = render_event_texts(event); !texts.empty()) added.texts = batch.issue_texts.intern(texts);
  if (batch.owners != nullptr) added.owner = batch.owners->owner_of(place.project, event, std::span(tags).first(own_tags));
  if (fact_place == nullptr || event.type == EventType::feedback) return added;
  const ErrorFact fact{.id = id,
                       .timestamp_ms = added.timestamp_ms,
                       .event = static_cast<std::uint32_t>(batch.events.size() - 1),
                       .title = added.title,
                       .culprit = added.culprit};
  add_error_fact(event, tags, fact, *fact_place, batch.facts);
  return added;
}

namespace {

// Where SDKs send a profile beside its transaction, only the envelope says that they belong together.
std::string profile_beside(const EnvelopeContext& context) {
  for (const auto& item : context.items) {
    if (item.type != "profile") continue;
    relay::JsonObjectReader reader(item.payload);
    while (const auto member = reader.next()) {
      const bool id = member->named("event_id") || member->named("profile_id");
      if (id && member->is_string()) return raw_id(member->raw_text());
    }
  }
  return {};
}

// The spans are not part of an Event: the payload is read once more for them.
void add_transaction(EnvelopeContext& context,
                     const relay::Item& item,
                     const relay::EventId& id,
                     std::uint16_t index) {
  bool repaired = false;
  const auto payload = parse_json(item.payload, repaired);
  const auto object = payload ? object_of(*payload) : std::nullopt;
  if (!object) return;
  auto& batch = context.batch;
  const auto before = batch.facts.memory_bytes();
  auto facts = fact_context(context, index);
  facts.profile_id = profile_beside(context);
  read_transaction_facts(*object, facts, id,
                         static_cast<std::uint32_t>(batch.events.size() - 1), batch.facts);
  batch.decoded_bytes += batch.facts.memory_bytes() - before;
}

}  // namespace

void read_event_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  const bool report = item.type == "raw_security";
  const auto made = report ? render_security_event(item, context.meta) : std::string();
  if (report && made.empty())
    return context.count(relay::DataCategory::security, Outcome::invalid, "security_report", 1);
  auto read = parse_event(report ? std::string_view(made) : item.payload);
  if (!read) {
    const bool large = read.error().fault == Fault::too_large;
    return context.count(relay::category_of(item), Outcome::invalid,
                         large ? "too_large" : "invalid_json", 1);
  }
  Event& event = *read;
  settle(event, {.item_type = item.type, .remote_address = context.meta.remote_address()});
  const auto id = id_of(context, event, index);
  const auto place = context.place(index);
  const auto fact_place = fact_context(context, index);
  add_event(context.batch, event, place, id,
            corrected_timestamp(event.timestamp_ms, context.sent_at_ms, place.received_ms,
                                context.config.max_event_age),
            &fact_place);
  if (event.type == EventType::transaction) add_transaction(context, item, id, index);
  if (event.type == EventType::feedback) add_raw(context, item, index, id);
}

}  // namespace picket::digest

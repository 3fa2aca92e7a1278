// Span, log and metric items: their entries become facts.
#include "api/digest/bucket_facts.h"
#include "api/digest/fact_reader.h"
#include "api/digest/item_reader.h"

#include <algorithm>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

using FactReading = ContainerRead (*)(JsonElement, const FactContext&, facts::FactRows&);

// Intake counted what the item's header announced: as many are accepted or invalid here, whatever the
// container holds.
void count_entries(EnvelopeContext& context,
                   const relay::Item& item,
                   DataCategory category,
                   const ContainerRead& read) {
  const std::uint64_t announced = std::max<std::uint32_t>(1, item.item_count);
  const auto invalid = std::min<std::uint64_t>(
      read.invalid, announced - std::min<std::uint64_t>(read.accepted, announced));
  if (invalid > 0) context.count(category, Outcome::invalid, "invalid_json", invalid);
  if (announced > invalid) context.count(category, Outcome::accepted, "", announced - invalid);
}

void read_entries(EnvelopeContext& context,
                  const relay::Item& item,
                  std::uint16_t index,
                  FactReading reading) {
  const auto category = relay::category_of(item);
  bool repaired = false;
  const auto payload = parse_json(item.payload, repaired);
  if (!payload) {
    add_raw(context, item, index, context.header_id);
    return context.count(category, Outcome::invalid, "invalid_json", item.item_count);
  }
  const auto before = context.batch.facts.memory_bytes();
  const auto read = reading(*payload, fact_context(context, index), context.batch.facts);
  context.batch.decoded_bytes += context.batch.facts.memory_bytes() - before;
  count_entries(context, item, category, read);
  if (read.accepted == 0 || read.invalid > 0) add_raw(context, item, index, context.header_id);
  if (category == DataCategory::log_item)
    context.count(DataCategory::log_byte, Outcome::accepted, "", item.payload.size());
  if (category == DataCategory::trace_metric)
    context.count(DataCategory::trace_metric_byte, Outcome::accepted, "", item.payload.size());
}

}  // namespace

FactContext fact_context(EnvelopeContext& context, std::uint16_t index) {
  const auto place = context.place(index);
  return {.project = place.project,
          .sequence = place.sequence,
          .item = place.item,
          .received_ms = place.received_ms,
          .sent_at_ms = context.sent_at_ms,
          .max_age = context.config.max_event_age};
}

void read_span_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  read_entries(context, item, index, read_span_facts);
}

void read_log_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  read_entries(context, item, index, read_log_facts);
}

// An item counts one, however many buckets it holds; with a bucket that cannot be read it is listed raw.
void read_statsd_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  const auto before = context.batch.facts.memory_bytes();
  const auto read = read_statsd_facts(item.payload, fact_context(context, index), context.batch.facts);
  context.batch.decoded_bytes += context.batch.facts.memory_bytes() - before;
  count_entries(context, item, relay::category_of(item), read);
  if (read.accepted == 0 || read.invalid > 0) add_raw(context, item, index, context.header_id);
}

void read_metric_buckets_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  read_entries(context, item, index, read_bucket_facts);
}

void read_trace_metric_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  read_entries(context, item, index, read_metric_facts);
}

}  // namespace picket::digest

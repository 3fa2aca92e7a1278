// Which function reads which type of item, and what the readers share.
#include "api/digest/client_report.h"
#include "api/digest/item_reader.h"
#include "api/digest/payload.h"
#include "buffer/logger.h"

#include <array>
#include <utility>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

constexpr std::array readers{
    std::pair<std::string_view, ItemReader>{"event", read_event_item},
    std::pair<std::string_view, ItemReader>{"transaction", read_event_item},
    std::pair<std::string_view, ItemReader>{"security", read_event_item},
    std::pair<std::string_view, ItemReader>{"raw_security", read_event_item},
    std::pair<std::string_view, ItemReader>{"feedback", read_event_item},
    std::pair<std::string_view, ItemReader>{"client_report", read_client_report_item},
    std::pair<std::string_view, ItemReader>{"session", read_session_item},
    std::pair<std::string_view, ItemReader>{"sessions", read_sessions_item},
    std::pair<std::string_view, ItemReader>{"attachment", read_attachment_item},
    std::pair<std::string_view, ItemReader>{"check_in", read_check_in_item},
    std::pair<std::string_view, ItemReader>{"user_report", read_user_report_item},
    std::pair<std::string_view, ItemReader>{"span", read_span_item},
    std::pair<std::string_view, ItemReader>{"log", read_log_item},
    std::pair<std::string_view, ItemReader>{"trace_metric", read_trace_metric_item},
    std::pair<std::string_view, ItemReader>{"statsd", read_statsd_item},
    std::pair<std::string_view, ItemReader>{"metric_buckets", read_metric_buckets_item},
    std::pair<std::string_view, ItemReader>{"replay_event", read_replay_event_item},
    std::pair<std::string_view, ItemReader>{"replay_recording", read_replay_recording_item},
    std::pair<std::string_view, ItemReader>{"replay_video", read_replay_video_item},
    std::pair<std::string_view, ItemReader>{"profile", read_profile_item},
    std::pair<std::string_view, ItemReader>{"profile_chunk", read_profile_chunk_item},
    std::pair<std::string_view, ItemReader>{"profile_chunk_ui", read_profile_chunk_item},
};

}  // namespace

ItemReader reader_of(std::string_view type) {
  for (const auto& [name, reader] : readers) {
    if (name == type) return reader;
  }
  return read_raw_item;
}

ItemPlace EnvelopeContext::place(std::uint16_t index) {
  batch.projects.insert(record.project);
  return {.sequence = record.sequence,
          .item = index,
          .project = record.project,
          .received_ms = to_ms(record.received),
          .key = outcome_key(record.key)};
}

void EnvelopeContext::count(DataCategory category,
                            Outcome outcome,
                            std::string_view reason,
                            std::uint64_t quantity) {
  batch.outcomes.add({.project = record.project,
                      .hour_ms = hour_of(record.received),
                      .category = category,
                      .outcome = outcome,
                      .reason = std::string(reason),
                      .key = outcome_key(record.key)},
                     quantity);
}

void EnvelopeContext::warn(std::string_view words, std::string_view reason) const {
  log(Level::warning, "digest", words,
      {{"sequence", record.sequence}, {"project", record.project}, {"reason", reason}});
}

void add_raw(EnvelopeContext& context,
             const relay::Item& item,
             std::uint16_t index,
             const std::optional<relay::EventId>& id) {
  context.batch.raw_items.push_back(
      {.place = context.place(index),
       .type = context.batch.text.keep(raw_type(item)),
       .id = id.value_or(relay::EventId()),
       .has_id = id.has_value()});
}

void count_accepted(EnvelopeContext& context, const relay::Item& item) {
  const auto category = relay::category_of(item);
  switch (category) {
    case DataCategory::attachment:
      context.count(category, Outcome::accepted, "", item.payload.size());
      return context.count(DataCategory::attachment_item, Outcome::accepted, "", 1);
    case DataCategory::log_item:
      context.count(DataCategory::log_byte, Outcome::accepted, "", item.payload.size());
      return context.count(category, Outcome::accepted, "", item.item_count);
    case DataCategory::trace_metric:
      context.count(DataCategory::trace_metric_byte, Outcome::accepted, "", item.payload.size());
      return context.count(category, Outcome::accepted, "", item.item_count);
    default: return context.count(category, Outcome::accepted, "", item.item_count);
  }
}

void read_raw_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  add_raw(context, item, index, context.header_id);
  count_accepted(context, item);
}

void read_client_report_item(EnvelopeContext& context,
                             const relay::Item& item,
                             std::uint16_t /*index*/) {
  context.count(DataCategory::client_report, Outcome::accepted, "", 1);
  for (const auto& drop : read_client_report(item.payload)) {
    context.count(drop.category, drop.outcome, drop.reason, drop.quantity);
  }
}

}  // namespace picket::digest

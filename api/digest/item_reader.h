// Reading one item of an envelope into the batch: one function per item type, each in the file of its
// subject, listed in item_readers.cpp. A reader adds to its own section of ParsedBatch and counts what
// becomes of the item; it writes nothing.
//
// What a reader throws is counted as invalid/internal, and what it added to the batch is taken back.
#pragma once

#include "api/digest/fact_reader.h"
#include "api/digest/parsed_batch.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/envelope.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace picket::digest {

// What the readers of one envelope's items share.
struct EnvelopeContext {
  const buffer::StoredRecord& record;
  const DigestConfig& config;
  ParsedBatch& batch;
  schema::IntakeMeta meta{};
  std::optional<relay::EventId> header_id{};  // the id that was answered, or else the header's
  std::int64_t sent_at_ms = 0;                // 0 when unknown
  bool id_given = false;                      // to the first event-like item
  bool counted = false;                       // in the ledger
  std::string_view header{};                  // the envelope's, one JSON object, unparsed
  std::span<const relay::Item> items{};       // all of the envelope

  // Also notes that the batch has rows for the record's project.
  ItemPlace place(std::uint16_t index);
  void count(relay::DataCategory category,
             relay::Outcome outcome,
             std::string_view reason,
             std::uint64_t quantity);
  void warn(std::string_view words, std::string_view reason) const;
};

using ItemReader = void (*)(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);

// The reader of a type; types that nobody reads become raw items.
ItemReader reader_of(std::string_view type);

void read_event_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_client_report_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_session_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_sessions_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_check_in_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_user_report_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_attachment_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_span_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_log_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_trace_metric_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_statsd_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_metric_buckets_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_replay_event_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_replay_recording_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_replay_video_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_profile_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_profile_chunk_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);
void read_raw_item(EnvelopeContext& context, const relay::Item& item, std::uint16_t index);

// ---- what readers share ---------------------------------------------------------------------------

// A row that says where an item of this type lies.
void add_raw(EnvelopeContext& context,
             const relay::Item& item,
             std::uint16_t index,
             const std::optional<relay::EventId>& id);
// Adds an event: its tags, what its issue is called and found by.
DigestedEvent& add_event(ParsedBatch& batch,
                         const Event& event,
                         const ItemPlace& place,
                         const relay::EventId& id,
                         std::int64_t timestamp_ms,  // corrected
                         const FactContext* fact_place = nullptr);  // none: not among the facts
// A monitor's slug as it is kept: [a-z0-9_-], at most 50; empty when nothing of it can be.
std::string monitor_slug(std::string_view text);
// Where the facts of an item belong.
FactContext fact_context(EnvelopeContext& context, std::uint16_t index);
// Counts an item as accepted, in all categories that its type has.
void count_accepted(EnvelopeContext& context, const relay::Item& item);

}  // namespace picket::digest

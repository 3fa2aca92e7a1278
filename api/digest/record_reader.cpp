#include "api/digest/issue_texts.h"
#include "api/digest/item_reader.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "relay/protocol/content_stream.h"

#include <algorithm>
#include <exception>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

void read_item_safely(EnvelopeContext& context, const relay::Item& item, std::uint16_t index) {
  const auto before = context.batch.mark();
  try {
    reader_of(item.type)(context, item, index);
  } catch (const std::exception& failure) {
    context.batch.take_back(before);
    context.warn("item skipped", failure.what());
    context.count(relay::category_of(item), Outcome::invalid, "internal", item.item_count);
  }
}

void count_stored(EnvelopeContext& context, DataCategory category, std::uint64_t quantity) {
  context.batch.ledger.add({.project = context.record.project,
                            .hour_ms = hour_of(context.record.received),
                            .category = category,
                            .fate = ItemFate::stored,
                            .key = outcome_key(context.record.key)},
                           quantity);
}

// As forwarders count it: by what intake noted, else by the items, else as one unknown. Once a record.
void count_stored(EnvelopeContext& context, const relay::Envelope* envelope) {
  if (context.record.kind != buffer::RecordKind::envelope) return;
  if (std::exchange(context.counted, true)) return;
  const auto& counts = context.meta.item_counts();
  for (int i = 0; i + 1 < counts.size(); i += 2) {
    const auto category = std::min<std::uint64_t>(counts[i], 255);
    count_stored(context, static_cast<DataCategory>(category), counts[i + 1]);
  }
  if (!counts.empty()) return;
  if (envelope == nullptr) return count_stored(context, DataCategory::unknown, 1);
  for (const auto& item : envelope->items)
    count_stored(context, relay::category_of(item), item.item_count);
}

void skip_record(EnvelopeContext& context, std::string_view why, std::string_view reason) {
  context.warn("record skipped", why);
  count_stored(context, nullptr);
  context.count(DataCategory::unknown, Outcome::invalid, reason, 1);
}

// All that intake counted in it, unread.
void count_whole(EnvelopeContext& context, Outcome outcome, std::string_view reason) {
  count_stored(context, nullptr);
  const auto& counts = context.meta.item_counts();
  for (int i = 0; i + 1 < counts.size(); i += 2) {
    const auto category = std::min<std::uint64_t>(counts[i], 255);
    context.count(static_cast<DataCategory>(category), outcome, reason, counts[i + 1]);
  }
}

// Another Picket's that is there already; one that is not is from now on.
bool is_repeated(const EnvelopeContext& context) {
  const auto& id = context.meta.record_id();
  if (id.size() != sizeof(relay::EventId)) return false;
  auto& batch = context.batch;
  const auto project = context.record.project;
  if (batch.record_ids.contains({project, id})) return true;
  if (batch.repeats != nullptr && batch.repeats->is_there(project, id)) return true;
  batch.projects.insert(project);
  batch.record_ids.emplace(std::pair(project, id), context.record.sequence);
  return false;
}

void read_outcomes(EnvelopeContext& context) {
  schema::OutcomeCounts counts;
  const auto& body = context.record.body;
  if (!counts.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return context.warn("outcome record does not parse", "protobuf");
  for (const auto& count : counts.counts()) {
    if (count.category() > 255 || count.outcome() > 6) continue;
    context.batch.outcomes.add({.project = count.project(),
                                .hour_ms = hour_of(time_from_ms(count.hour_ms())),
                                .category = static_cast<DataCategory>(count.category()),
                                .outcome = static_cast<Outcome>(count.outcome()),
                                .reason = clean_reason(count.reason()),
                                .key = outcome_key(count.key())},
                               count.quantity());
    constexpr auto last_fate = static_cast<std::uint32_t>(ItemFate::abuse);
    if (count.outcome() == 0 || count.outcome() > last_fate) continue;
    context.batch.ledger.add({.project = count.project(),
                              .hour_ms = hour_of(time_from_ms(count.hour_ms())),
                              .category = static_cast<DataCategory>(count.category()),
                              .fate = static_cast<ItemFate>(count.outcome()),
                              .key = outcome_key(count.key())},
                             count.quantity());
  }
}

void read_envelope(EnvelopeContext& context) {
  const auto& record = context.record;
  context.meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
  // Its body went for want of room before it was read.
  if (record.dropped()) return count_whole(context, Outcome::rate_limited, "disk_full");
  if (is_repeated(context)) {
    ++context.batch.repeated;
    return count_whole(context, Outcome::invalid, "duplicate");
  }
  if (record.coding > static_cast<std::uint8_t>(relay::Coding::zstd))
    return skip_record(context, "unknown coding", "invalid_compression");
  std::string_view bytes = record.body;
  buffer::Bytes decoded;
  if (const auto coding = static_cast<relay::Coding>(record.coding);
      coding != relay::Coding::identity) {
    const auto limit = context.config.max_envelope_bytes;
    auto inflated = relay::decode_bytes(record.body, coding, limit, context.batch.room);
    // A full disk must not cost the record.
    if (!inflated && inflated.error().fault == Fault::unavailable)
      inflated = relay::decode_bytes(record.body, coding, limit, {});
    if (!inflated) {
      const bool large = inflated.error().fault == Fault::too_large;
      return skip_record(context, inflated.error().detail, large ? "too_large" : "invalid_compression");
    }
    decoded = *std::move(inflated);
    bytes = decoded;
  }
  context.batch.decoded_bytes += bytes.size();
  const auto envelope = relay::parse_envelope(bytes);
  if (!envelope) return skip_record(context, envelope.error().detail, "invalid_envelope");
  count_stored(context, &*envelope);
  context.header = envelope->header;
  context.items = envelope->items;
  context.header_id = relay::event_id_from_raw(context.meta.event_id());
  if (!context.header_id) context.header_id = envelope->fields.event_id;
  context.sent_at_ms = context.meta.sent_at_ms() != 0 ? context.meta.sent_at_ms()
                                                      : envelope->fields.sent_at_ms.value_or(0);
  for (std::size_t i = 0; i < envelope->items.size(); ++i)
    read_item_safely(context, envelope->items[i], static_cast<std::uint16_t>(i));
}

}  // namespace

std::uint32_t TagTable::intern(const Tag& tag) {
  constexpr std::size_t longest = 200;  // of what buffer::Key keeps as it is
  const bool plain = tag.key.size() <= longest && tag.value.size() <= longest &&
                     tag.key.find('\0') == std::string_view::npos &&
                     tag.value.find('\0') == std::string_view::npos;
  scratch_.clear();
  if (plain) {
    scratch_.append(tag.key).append(1, '\0').append(tag.value).append(1, '\0');
  } else {
    scratch_ = buffer::Key().text(tag.key).text(tag.value).view();
  }
  return suffixes_.intern(scratch_);
}

std::uint32_t EventTexts::intern(std::string_view texts) {
  const auto id = texts_.intern(texts);
  if (id == hashes_.size()) hashes_.push_back(hash_of_texts(texts));
  return id;
}

void ParsedBatch::take_back(const Mark& mark) {
  events.resize(mark.events);
  raw_items.resize(mark.raw_items);
  tag_ids.resize(mark.tag_ids);
  sessions.resize(mark.sessions);
  session_aggregates.resize(mark.session_aggregates);
  check_ins.resize(mark.check_ins);
  user_reports.resize(mark.user_reports);
  attachments.resize(mark.attachments);
  facts.resize(mark.facts);
  replays.take_back(mark.replays);
}

void read_record(const buffer::StoredRecord& record,
                 const DigestConfig& config,
                 ParsedBatch& batch) {
  ++batch.records;
  if (record.kind == buffer::RecordKind::envelope) ++batch.envelopes;
  if (batch.first_received == Time{}) batch.first_received = record.received;
  batch.newest_received = std::max(batch.newest_received, record.received);
  EnvelopeContext context{.record = record, .config = config, .batch = batch};
  try {
    if (record.kind == buffer::RecordKind::outcomes) return read_outcomes(context);
    // A kind of a newer version is nothing of ours to count.
    if (record.kind == buffer::RecordKind::envelope) read_envelope(context);
  } catch (const std::exception& failure) {
    skip_record(context, failure.what(), "internal");
  }
}

void skip_damaged(buffer::Sequence sequence, Time now, ParsedBatch& batch) {
  ++batch.records;
  ++batch.envelopes;
  log(Level::warning, "digest", "record is damaged and skipped", {{"sequence", sequence}});
  batch.outcomes.add({.hour_ms = hour_of(now), .outcome = Outcome::invalid, .reason = "corrupt"},
                     1);
  batch.ledger.add({.hour_ms = hour_of(now)}, 1);
}

// Taken for envelopes, as destinations take them.
void skip_lost(std::uint64_t records, Time now, ParsedBatch& batch) {
  batch.envelopes += records;
  log(Level::warning, "digest", "records are lost", {{"records", records}});
  batch.outcomes.add({.hour_ms = hour_of(now), .outcome = Outcome::invalid, .reason = "lost"},
                     records);
  batch.ledger.add({.hour_ms = hour_of(now)}, records);
}

void skip_poisonous(const buffer::StoredRecord& record, ParsedBatch& batch) {
  ++batch.records;
  if (record.kind == buffer::RecordKind::envelope) ++batch.envelopes;
  batch.newest_received = std::max(batch.newest_received, record.received);
  const DigestConfig unused;
  EnvelopeContext context{.record = record, .config = unused, .batch = batch};
  context.meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()));
  skip_record(context, "its rows cannot be written", "internal");
}

std::int64_t clock_drift_ms(std::int64_t sent_at_ms, std::int64_t received_ms) {
  constexpr std::int64_t least_drift_ms = 55 * 60'000;
  const auto drift = received_ms - sent_at_ms;
  return sent_at_ms != 0 && (drift >= least_drift_ms || drift <= -least_drift_ms) ? drift : 0;
}

std::int64_t corrected_timestamp(std::optional<std::int64_t> timestamp_ms,
                                 std::int64_t sent_at_ms,
                                 std::int64_t received_ms,
                                 Duration max_age) {
  constexpr std::int64_t future_ms = 60'000;
  if (!timestamp_ms) return received_ms;
  const std::int64_t corrected = *timestamp_ms + clock_drift_ms(sent_at_ms, received_ms);
  const bool plausible =
      corrected <= received_ms + future_ms && corrected >= received_ms - max_age.count();
  return plausible ? corrected : received_ms;
}

}  // namespace picket::digest

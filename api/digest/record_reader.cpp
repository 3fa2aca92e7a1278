#include "api/digest/client_report.h"
#include "api/digest/derived_tags.h"
#include "api/digest/parsed_batch.h"
#include "api/digest/title.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/json_repair.h"

#include <algorithm>
#include <exception>

namespace picket::digest {
namespace {

using relay::DataCategory;
using relay::Outcome;

class RecordReader {
 public:
  RecordReader(const buffer::StoredRecord& record, const DigestConfig& config, ParsedBatch& batch)
      : record_(record), config_(config), batch_(batch) {}

  void count(DataCategory category,
             Outcome outcome,
             std::string_view reason,
             std::uint64_t quantity) {
    batch_.outcomes.add({.project = record_.project,
                         .hour_ms = hour_of(record_.received),
                         .category = category,
                         .outcome = outcome,
                         .reason = std::string(reason),
                         .key = outcome_key(record_.key)},
                        quantity);
  }

  void warn(std::string_view words, std::string_view reason) const {
    log(Level::warning, "digest", words,
        {{"sequence", record_.sequence}, {"project", record_.project}, {"reason", reason}});
  }

  void read_outcomes() {
    schema::OutcomeCounts counts;
    if (!counts.ParseFromArray(record_.body.data(), static_cast<int>(record_.body.size()))) {
      warn("outcome record does not parse", "protobuf");
      return;
    }
    for (const auto& count : counts.counts()) {
      if (count.category() > 255 || count.outcome() > 6) continue;
      batch_.outcomes.add({.project = count.project(),
                           .hour_ms = hour_of(time_from_ms(count.hour_ms())),
                           .category = static_cast<DataCategory>(count.category()),
                           .outcome = static_cast<Outcome>(count.outcome()),
                           .reason = clean_reason(count.reason()),
                           .key = outcome_key(count.key())},
                          count.quantity());
    }
  }

  void read_envelope() {
    meta_.ParseFromArray(record_.meta.data(), static_cast<int>(record_.meta.size()));
    if (record_.coding > static_cast<std::uint8_t>(relay::Coding::zstd)) {
      warn("record skipped", "unknown coding");
      return count(DataCategory::unknown, Outcome::invalid, "invalid_compression", 1);
    }
    std::string_view bytes = record_.body;
    std::string decoded;
    if (const auto coding = static_cast<relay::Coding>(record_.coding);
        coding != relay::Coding::identity) {
      auto inflated = relay::decode(record_.body, coding, config_.max_envelope_bytes);
      if (!inflated) {
        warn("record skipped", inflated.error().detail);
        const bool large = inflated.error().fault == Fault::too_large;
        return count(DataCategory::unknown, Outcome::invalid,
                     large ? "too_large" : "invalid_compression", 1);
      }
      decoded = *std::move(inflated);
      bytes = decoded;
    }
    batch_.decoded_bytes += bytes.size();
    const auto envelope = relay::parse_envelope(bytes);
    if (!envelope) {
      warn("record skipped", envelope.error().detail);
      return count(DataCategory::unknown, Outcome::invalid, "invalid_envelope", 1);
    }
    header_id_ = relay::event_id_from_raw(meta_.event_id());
    if (!header_id_) header_id_ = envelope->fields.event_id;
    sent_at_ms_ =
        meta_.sent_at_ms() != 0 ? meta_.sent_at_ms() : envelope->fields.sent_at_ms.value_or(0);
    for (std::size_t i = 0; i < envelope->items.size(); ++i) {
      read_item_safely(envelope->items[i], static_cast<std::uint16_t>(i));
    }
  }

 private:
  void read_item_safely(const relay::Item& item, std::uint16_t index) {
    const auto events = batch_.events.size();
    try {
      read_item(item, index);
    } catch (const std::exception& failure) {
      batch_.events.resize(events);
      warn("item skipped", failure.what());
      count(relay::category_of(item), Outcome::invalid, "internal", item.item_count);
    }
  }

  ItemPlace place(std::uint16_t index) const {
    return {.sequence = record_.sequence,
            .item = index,
            .project = record_.project,
            .received_ms = to_ms(record_.received),
            .key = outcome_key(record_.key)};
  }

  void read_item(const relay::Item& item, std::uint16_t index) {
    if (item.type == "event" || item.type == "transaction" || item.type == "security" ||
        item.type == "feedback") {
      return read_event_item(item, index);
    }
    if (item.type == "client_report") {
      count(DataCategory::client_report, Outcome::accepted, "", 1);
      for (const auto& drop : read_client_report(item.payload)) {
        count(drop.category, drop.outcome, drop.reason, drop.quantity);
      }
      return;
    }
    add_raw(item, index, header_id_);
    count_raw(item);
  }

  void add_raw(const relay::Item& item,
               std::uint16_t index,
               const std::optional<relay::EventId>& id) {
    const auto type = first_characters(item.type, 200);
    batch_.raw_items.push_back(
        {.place = place(index),
         .type = batch_.text.keep(relay::repair_utf8(type.empty() ? "unknown" : type)),
         .id = id.value_or(relay::EventId()),
         .has_id = id.has_value()});
  }

  void count_raw(const relay::Item& item) {
    const auto category = relay::category_of(item);
    switch (category) {
      case DataCategory::attachment:
        count(category, Outcome::accepted, "", item.payload.size());
        return count(DataCategory::attachment_item, Outcome::accepted, "", 1);
      case DataCategory::log_item:
        count(DataCategory::log_byte, Outcome::accepted, "", item.payload.size());
        return count(category, Outcome::accepted, "", item.item_count);
      case DataCategory::trace_metric:
        count(DataCategory::trace_metric_byte, Outcome::accepted, "", item.payload.size());
        return count(category, Outcome::accepted, "", item.item_count);
      default: return count(category, Outcome::accepted, "", item.item_count);
    }
  }

  void read_event_item(const relay::Item& item, std::uint16_t index) {
    auto read = parse_event(item.payload);
    if (!read) {
      const bool large = read.error().fault == Fault::too_large;
      return count(relay::category_of(item), Outcome::invalid, large ? "too_large" : "invalid_json",
                   1);
    }
    Event& event = *read;
    if (item.type == "transaction") event.type = EventType::transaction;
    if (item.type == "feedback") event.type = EventType::feedback;
    if (event.user.ip == "{{auto}}")
      event.user.ip = event.text.keep(relay::repair_utf8(meta_.remote_address()), {64, 0});
    const auto id = id_of(event, index);
    add_event(event, id, index);
    if (event.type == EventType::feedback) add_raw(item, index, id);
  }

  // The envelope's id is that of its first event; one that follows may bring its own.
  relay::EventId id_of(const Event& event, std::uint16_t index) {
    const bool first = !id_given_;
    id_given_ = true;
    if (first && header_id_) return *header_id_;
    if (event.id) return *event.id;
    if (header_id_) return *header_id_;
    // The same at each reading, so that reading again is no second event.
    const auto made = md5_of(buffer::Key().u64(record_.sequence).u16(index));
    return relay::event_id_from_raw(raw_bytes(made)).value_or(relay::EventId());
  }

  void add_event(const Event& event, const relay::EventId& id, std::uint16_t index) {
    auto& text = batch_.text;
    auto& added = batch_.events.emplace_back();
    added.place = place(index);
    added.id = id;
    added.timestamp_ms = corrected_timestamp(event.timestamp_ms, sent_at_ms_,
                                             added.place.received_ms, config_.max_event_age);
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
    added.first_tag = batch_.tag_ids.size();
    // Derived texts are short-lived: interning keeps its own copy, once per different tag.
    TextArena derived(512);
    for (const auto& tag : tags_of(event, derived)) {
      batch_.tag_ids.push_back(batch_.tags.intern(tag, text));
      if (tag.key == "user") added.user = batch_.tag_ids.back();
    }
    added.tag_count = batch_.tag_ids.size() - added.first_tag;
  }

  const buffer::StoredRecord& record_;
  const DigestConfig& config_;
  ParsedBatch& batch_;
  schema::IntakeMeta meta_;
  std::optional<relay::EventId> header_id_;
  std::int64_t sent_at_ms_ = 0;
  bool id_given_ = false;
};

}  // namespace

std::uint32_t TagTable::intern(const Tag& tag, TextArena& arena) {
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
  if (const auto found = ids_.find(scratch_); found != ids_.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(suffixes_.size());
  suffixes_.push_back(arena.keep(scratch_));
  ids_.emplace(suffixes_.back(), id);
  return id;
}

void read_record(const buffer::StoredRecord& record,
                 const DigestConfig& config,
                 ParsedBatch& batch) {
  ++batch.records;
  if (record.kind == buffer::RecordKind::envelope) ++batch.envelopes;
  batch.newest_received = std::max(batch.newest_received, record.received);
  RecordReader reader(record, config, batch);
  try {
    if (record.kind == buffer::RecordKind::outcomes) return reader.read_outcomes();
    // A kind of a newer version is nothing of ours to count.
    if (record.kind == buffer::RecordKind::envelope) reader.read_envelope();
  } catch (const std::exception& failure) {
    reader.warn("record skipped", failure.what());
    reader.count(DataCategory::unknown, Outcome::invalid, "internal", 1);
  }
}

void skip_damaged(buffer::Sequence sequence, Time now, ParsedBatch& batch) {
  ++batch.records;
  ++batch.envelopes;
  log(Level::warning, "digest", "record is damaged and skipped", {{"sequence", sequence}});
  batch.outcomes.add({.hour_ms = hour_of(now), .outcome = Outcome::invalid, .reason = "corrupt"},
                     1);
}

void skip_poisonous(const buffer::StoredRecord& record, ParsedBatch& batch) {
  ++batch.records;
  if (record.kind == buffer::RecordKind::envelope) ++batch.envelopes;
  batch.newest_received = std::max(batch.newest_received, record.received);
  const DigestConfig unused;
  RecordReader reader(record, unused, batch);
  reader.warn("record skipped", "its rows cannot be written");
  reader.count(DataCategory::unknown, Outcome::invalid, "internal", 1);
}

std::int64_t corrected_timestamp(std::optional<std::int64_t> timestamp_ms,
                                 std::int64_t sent_at_ms,
                                 std::int64_t received_ms,
                                 Duration max_age) {
  constexpr std::int64_t least_drift_ms = 55 * 60'000;
  constexpr std::int64_t future_ms = 60'000;
  if (!timestamp_ms) return received_ms;
  std::int64_t corrected = *timestamp_ms;
  const auto drift = received_ms - sent_at_ms;
  if (sent_at_ms != 0 && (drift >= least_drift_ms || drift <= -least_drift_ms)) corrected += drift;
  const bool plausible =
      corrected <= received_ms + future_ms && corrected >= received_ms - max_age.count();
  return plausible ? corrected : received_ms;
}

}  // namespace picket::digest

// A batch of journal records, read: what is to be written, and nothing of the payloads besides.
// Made outside any write transaction; writing does not change it, so that it can be written again.
#pragma once

#include "api/digest/config.h"
#include "api/digest/event.h"
#include "api/digest/grouping.h"
#include "api/digest/grouping_book.h"
#include "api/digest/item_ledger.h"
#include "api/digest/outcome_sums.h"
#include "api/digest/ownership.h"
#include "api/digest/repeats.h"
#include "api/digest/replay_section.h"
#include "api/digest/session_state.h"
#include "api/digest/text.h"
#include "api/facts/fact_rows.h"
#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/text_table.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace picket::digest {

// The different tags of a batch. `suffix` is how key and value stand in the keys of the tables.
class TagTable {
 public:
  std::uint32_t intern(const Tag& tag);
  std::size_t size() const { return suffixes_.size(); }
  std::string_view suffix(std::uint32_t id) const { return suffixes_[id]; }

 private:
  buffer::TextTable suffixes_;
  std::string scratch_;
};

// The different texts that events of a batch are found by (issue_texts.h), with their hashes.
class EventTexts {
 public:
  std::uint32_t intern(std::string_view texts);
  std::string_view operator[](std::uint32_t id) const { return texts_[id]; }
  std::uint64_t hash(std::uint32_t id) const { return hashes_[id]; }

 private:
  buffer::TextTable texts_;
  std::vector<std::uint64_t> hashes_;
};

// Where an item lies, and whose it is.
struct ItemPlace {
  buffer::Sequence sequence = 0;
  std::uint16_t item = 0;
  std::uint64_t project = 0;
  std::int64_t received_ms = 0;
  std::array<char, 16> key{};  // the public key
};

// An event-like item. Texts point into ParsedBatch::text.
struct DigestedEvent {
  ItemPlace place;
  relay::EventId id;
  std::int64_t timestamp_ms = 0;  // corrected
  relay::DataCategory category = relay::DataCategory::error;
  EventLevel level = EventLevel::error;
  bool has_issue = true;  // transactions have none
  bool ours = false;      // made here and not received: no outcome counts it
  std::optional<bool> handled;
  std::string_view type;
  std::string_view title;
  std::string_view culprit;
  std::string_view metadata_json;
  std::string_view platform;
  std::string_view logger;
  std::string_view release;
  std::string_view environment;
  std::string_view issue_type;    // Sentry's word; empty: error
  std::string_view payload_json;  // of our own
  std::optional<std::uint32_t> user;  // the tag that says who
  RuledOwner owner;  // by the project's ownership rules
  std::optional<std::uint32_t> texts;  // in ParsedBatch::issue_texts
  std::vector<GroupingHash> hashes;
  std::size_t first_tag = 0;  // in ParsedBatch::tag_ids
  std::size_t tag_count = 0;
};

struct RawRow {
  ItemPlace place;
  std::string_view type;
  relay::EventId id;
  bool has_id = false;
};

// An update of one session (session_item.cpp). Texts point into ParsedBatch::text, as below.
struct ParsedSession {
  ItemPlace place;
  std::string_view id;  // 16 raw bytes
  SessionUpdate update;
};

// Sessions that an SDK has added up itself.
struct SessionAggregate {
  ItemPlace place;
  std::int64_t started_ms = 0;
  std::string_view release;
  std::string_view environment;
  std::uint64_t user = 0;  // 0: unknown
  std::uint64_t exited = 0;
  std::uint64_t errored = 0;
  std::uint64_t crashed = 0;
  std::uint64_t abnormal = 0;
  std::uint64_t unhandled = 0;
};

// Sentry's numbers, stored in rows: never renumber.
enum class CheckInStatus : std::uint8_t {
  unknown = 0,
  ok = 1,
  error = 2,
  in_progress = 3,
  missed = 4,
  timeout = 5,
};
// What an SDK can say: ok, error, in_progress.
std::optional<CheckInStatus> parse_check_in_status(std::string_view word);

struct ParsedCheckIn {
  ItemPlace place;
  std::string_view id;  // 16 raw bytes; empty: the latest in progress
  std::string_view slug;
  CheckInStatus status = CheckInStatus::unknown;
  std::optional<std::int64_t> duration_ms;
  std::string_view environment;
  std::string_view release;
  std::string_view trace_id;  // 16 raw bytes, or empty
  std::optional<schema::MonitorConfig> config;
};

struct ParsedUserReport {
  ItemPlace place;
  relay::EventId event_id;
  std::string_view name;
  std::string_view email;
  std::string_view comments;
};

struct ParsedAttachment {
  ItemPlace place;
  relay::EventId event_id;
  std::string_view name;
  std::string_view type;
  std::string_view content_type;
  std::uint64_t bytes = 0;
  std::string_view sha1;  // 20 raw bytes
  // Of a trace's: its own id and its span's, raw. event_id is the trace's then.
  std::string_view trace_item = {};
  std::string_view span_id = {};
};

// A batch as read. Each subject has a section of its own: a vector that its reader fills (see
// item_reader.h) and its writer writes (see batch_writer.h), ascending by place.
struct ParsedBatch {
  std::vector<DigestedEvent> events;
  std::vector<RawRow> raw_items;
  facts::FactRows facts;
  ReplaySection replays;
  std::vector<std::uint32_t> tag_ids;  // of events
  std::vector<ParsedSession> sessions;
  std::vector<SessionAggregate> session_aggregates;
  std::vector<ParsedCheckIn> check_ins;
  std::vector<ParsedUserReport> user_reports;
  std::vector<ParsedAttachment> attachments;
  TagTable tags;
  EventTexts issue_texts;
  ItemLedger ledger;
  OutcomeSums outcomes;  // of everything but the events, which writing may find to be duplicates
  TextArena text{std::size_t{64} << 10};
  std::set<std::uint64_t> projects;  // those of the sections' rows
  // Where the envelopes of the batch lie that have a record id (16 raw bytes), by project and that.
  std::map<std::pair<std::uint64_t, std::string>, buffer::Sequence> record_ids;

  const OwnershipBook* owners = nullptr;  // none: nothing is anybody's
  buffer::ByteRoom room = {};  // for bodies that are too large for memory
  GroupingBook* groupings = nullptr;  // none: every project has the default rules
  RepeatBook* repeats = nullptr;  // none: nothing is there already
  buffer::Sequence next = 0;  // where the next batch begins
  Time first_received{};
  Time newest_received{};
  std::size_t records = 0;
  std::size_t envelopes = 0;  // of the records; damaged ones are taken for envelopes
  std::size_t repeated = 0;   // of those: were there already
  std::size_t decoded_bytes = 0;

  // How much is in each section, to take back what a reader that failed has added.
  struct Mark {
    std::size_t events = 0;
    std::size_t raw_items = 0;
    std::size_t tag_ids = 0;
    std::size_t sessions = 0;
    std::size_t session_aggregates = 0;
    std::size_t check_ins = 0;
    std::size_t user_reports = 0;
    std::size_t attachments = 0;
    std::size_t facts = 0;
    ReplaySection::Mark replays{};
  };
  Mark mark() const {
    return {events.size(),   raw_items.size(),          tag_ids.size(),
            sessions.size(), session_aggregates.size(), check_ins.size(),
            user_reports.size(), attachments.size(),    facts.size(),
            replays.mark()};
  }
  void take_back(const Mark& mark);
};

// Decodes and reads one record into the batch. What is damaged, undecodable or does the unexpected
// is counted as invalid and logged; never throws for what a record holds.
void read_record(const buffer::StoredRecord& record,
                 const DigestConfig& config,
                 ParsedBatch& batch);
void skip_damaged(buffer::Sequence sequence, Time now, ParsedBatch& batch);
// Counts records that were recycled before they were digested, or went with a segment that was set aside.
void skip_lost(std::uint64_t records, Time now, ParsedBatch& batch);
// Counts a record as invalid/internal instead of reading it.
void skip_poisonous(const buffer::StoredRecord& record, ParsedBatch& batch);

// How far the SDK's clock is off; 0 when that is not known or less than 55 minutes, which may be the
// time on the way.
std::int64_t clock_drift_ms(std::int64_t sent_at_ms, std::int64_t received_ms);

// The time under which an event is filed: shifted by the SDK's clock drift when that is 55 minutes
// or more, and the time it was received when it claims to be from the future (60 s) or too old.
std::int64_t corrected_timestamp(std::optional<std::int64_t> timestamp_ms,
                                 std::int64_t sent_at_ms,  // 0 when unknown
                                 std::int64_t received_ms,
                                 Duration max_age);

}  // namespace picket::digest

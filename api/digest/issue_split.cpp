// Taking an issue apart: the events of some of its hashes become a new issue. Their tags are read
// again from their payloads, outside of the write transaction; what the batch then finds changed
// (deleted, trimmed) it leaves alone.
#include "api/digest/derived_tags.h"
#include "api/digest/event.h"
#include "buffer/event_ids.h"
#include "api/digest/issue_move.h"
#include "api/digest/issue_state.h"
#include "api/digest/payload.h"
#include "api/digest/postings.h"
#include "api/digest/title.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Batch;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;

constexpr std::size_t payloads_per_batch = 200;

// An event that is to move, as its payload describes it.
struct Mover {
  std::string rest;  // of its key in events_by_issue: timestamp, sequence, item
  bool readable = false;
  std::vector<std::string> tags;  // as they stand in keys
  Title title;
  std::string type;
  std::string platform;
  std::string logger;
  std::string release;
  EventLevel level = EventLevel::error;
  std::optional<bool> handled;
};

struct Looked {
  std::vector<Mover> movers;
  std::string after;  // the last key looked at
  std::size_t rows = 0;
  bool done = false;
};

void describe(const Event& event, Mover& mover) {
  mover.readable = true;
  TextArena arena;
  for (const auto& tag : tags_of(event, arena)) {
    const auto suffix = Key().text(tag.key).text(tag.value);
    mover.tags.emplace_back(suffix.view());
  }
  for (const auto& flag : flag_tags_of(event, arena)) {
    const auto suffix = Key().text(flag.key).text(flag.value);
    mover.tags.emplace_back(suffix.view());
  }
  mover.title = title_of(event);
  mover.type = wire_name(event.type);
  mover.platform = event.platform.empty() ? "other" : event.platform;
  mover.logger = event.logger;
  mover.release = event.release;
  mover.level = event.level_or_default();
  mover.handled = event.handled();
}

void read_mover(const buffer::Journal& journal, const schema::EventRow& row, Mover& mover) {
  if (!row.payload_json().empty()) {
    if (const auto event = parse_event(row.payload_json())) describe(*event, mover);
    return;
  }
  KeyReader place(std::string_view(mover.rest).substr(8));
  const auto sequence = place.u64();
  const auto payload = read_payload(journal, sequence, place.u16());
  if (!payload) return;
  auto event = parse_event(payload->own().payload);
  if (!event) return;
  settle(*event, {.item_type = payload->own().type, .remote_address = payload->meta.remote_address()});
  describe(*event, mover);
}

Looked look(const buffer::Reader& reader, const buffer::Journal& journal, const schema::IssueMove& move, std::size_t most) {
  Looked looked;
  const auto prefix = Key().u64(move.source());
  auto cursor = reader.cursor(Table::events_by_issue);
  const auto from = move.after().empty() ? std::string(prefix.view()) : move.after() + std::string(1, '\0');
  bool more = cursor.seek(from);
  for (; more && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
    if (looked.rows == most || looked.movers.size() == payloads_per_batch) return looked;
    ++looked.rows;
    looked.after = cursor.key();
    Mover mover;
    mover.rest = cursor.key().substr(prefix.size());
    const auto row = find_row<schema::EventRow>(reader, Table::events, std::string_view(mover.rest).substr(8));
    if (!row || row->hash() == 0) continue;
    if (std::ranges::find(move.hashes(), row->hash()) == move.hashes().end()) continue;
    read_mover(journal, *row, mover);
    looked.movers.push_back(std::move(mover));
  }
  looked.done = true;
  return looked;
}

// Both issues within one batch.
struct Pair {
  schema::Issue source;
  schema::Issue target;
  schema::IssueCounters source_counters;
  schema::IssueCounters target_counters;
};

void move_tag(Batch& batch, Pair& pair, const std::string& suffix, std::int64_t at_ms) {
  const bool is_user = KeyReader(suffix).text() == "user";
  const auto project = pair.source.project();
  const auto from = Key().u64(pair.source.id()).raw(suffix);
  if (auto count = find_row<schema::TagCount>(batch, Table::issue_tags, from)) {
    if (count->count() > 1) {
      count->set_count(count->count() - 1);
      put_row(batch, Table::issue_tags, from, *count);
    } else {
      batch.remove(Table::issue_tags, from);
      remove_posting(batch, project, suffix, pair.source.id());
      auto& counters = pair.source_counters;
      if (is_user && counters.users_seen() > 0) counters.set_users_seen(counters.users_seen() - 1);
    }
  }
  const auto to = Key().u64(pair.target.id()).raw(suffix);
  auto count = find_row<schema::TagCount>(batch, Table::issue_tags, to);
  if (!count) {
    put_posting(batch, project, suffix, pair.target.id());
    if (is_user) pair.target_counters.set_users_seen(pair.target_counters.users_seen() + 1);
    count.emplace().set_first_seen_ms(at_ms);
  }
  count->set_count(count->count() + 1);
  count->set_first_seen_ms(std::min<std::int64_t>(count->first_seen_ms(), at_ms));
  count->set_last_seen_ms(std::max<std::int64_t>(count->last_seen_ms(), at_ms));
  put_row(batch, Table::issue_tags, to, *count);
}

// The new issue is called what its latest event is called, and began with its first.
void name_target(Pair& pair, const Mover& mover, const schema::EventRow& row) {
  auto& issue = pair.target;
  auto& counters = pair.target_counters;
  const auto at_ms = row.timestamp_ms();
  if (issue.first_event_id().empty() || at_ms < issue.first_seen_ms()) {
    issue.set_first_seen_ms(at_ms);
    issue.set_first_event_id(row.event_id());
    issue.set_first_release(mover.release);
  }
  if (!counters.last_event_id().empty() && at_ms < counters.last_seen_ms()) return;
  counters.set_last_seen_ms(at_ms);
  counters.set_last_event_id(row.event_id());
  if (!mover.readable) return;
  if (!mover.release.empty()) counters.set_last_release(mover.release);
  issue.set_title(mover.title.title);
  issue.set_culprit(mover.title.culprit);
  issue.set_metadata_json(mover.title.metadata_json);
  issue.set_type(mover.type);
  issue.set_platform(mover.platform);
  issue.set_logger(mover.logger);
  issue.set_level(static_cast<std::uint32_t>(mover.level));
  issue.set_handled_known(mover.handled.has_value());
  issue.set_unhandled(mover.handled.has_value() && !*mover.handled);
}

void move_event(Batch& batch, Pair& pair, const Mover& mover) {
  const auto from = Key().u64(pair.source.id()).raw(mover.rest);
  const auto place = std::string_view(mover.rest).substr(8);
  auto row = find_row<schema::EventRow>(batch, Table::events, place);
  const auto event_id = batch.get(Table::events_by_issue, from);
  if (!row || !event_id) return;
  batch.put(Table::events_by_issue, Key().u64(pair.target.id()).raw(mover.rest), std::string(*event_id));
  batch.remove(Table::events_by_issue, from);
  row->set_issue(pair.target.id());
  put_row(batch, Table::events, place, *row);
  auto& source = pair.source_counters;
  if (source.times_seen() > 0) source.set_times_seen(source.times_seen() - 1);
  take_event(source, time_from_ms(row->timestamp_ms()));
  auto& target = pair.target_counters;
  target.set_times_seen(target.times_seen() + 1);
  const auto sequence = KeyReader(place).u64();
  if (target.first_sequence() == 0 || sequence < target.first_sequence()) target.set_first_sequence(sequence);
  target.set_last_sequence(std::max<std::uint64_t>(target.last_sequence(), sequence));
  count_event(target, time_from_ms(row->timestamp_ms()));
  name_target(pair, mover, *row);
  for (const auto& tag : mover.tags)
    move_tag(batch, pair, tag, row->timestamp_ms());
}

std::optional<schema::EventRow> event_at(const buffer::Reader& reader, std::string_view key) {
  return find_row<schema::EventRow>(reader, Table::events, key.substr(16));
}

// Whether the event that an issue names as its first or last is still its own.
bool is_of(const buffer::Reader& reader, const schema::Issue& issue, const std::string& event_id) {
  const auto spot = buffer::find_event_id(reader, issue.project(), event_id);
  if (!spot) return true;  // the journal has let go of it
  const auto row = find_row<schema::EventRow>(reader, Table::events, Key().u64(spot->sequence).u16(spot->item));
  return !row || row->issue() == issue.id();
}

// First and last event of what remains, where they have gone.
void settle_source(Batch& batch, Pair& pair) {
  auto& issue = pair.source;
  auto& counters = pair.source_counters;
  const auto prefix = Key().u64(issue.id());
  auto cursor = batch.cursor(Table::events_by_issue);
  if (!cursor.seek(prefix) || !cursor.key().starts_with(prefix.view())) return;
  const auto first = event_at(batch, std::string(cursor.key()));
  if (first && !is_of(batch, issue, issue.first_event_id())) {
    issue.set_first_seen_ms(first->timestamp_ms());
    issue.set_first_event_id(first->event_id());
  }
  if (!cursor.seek_before(Key().u64(issue.id() + 1))) return;
  const auto last = event_at(batch, std::string(cursor.key()));
  if (!last || is_of(batch, issue, counters.last_event_id())) return;
  counters.set_last_seen_ms(last->timestamp_ms());
  counters.set_last_event_id(last->event_id());
}

void write_looked(Batch& batch, const schema::IssueMove& noted, const Looked& looked) {
  const auto note = Key().raw(move_prefix).u64(noted.source()).u64(noted.target());
  auto move = find_row<schema::IssueMove>(batch, Table::meta, note);
  if (!move) return;
  auto source = find_row<schema::Issue>(batch, Table::issues, Key().u64(noted.source()));
  auto target = find_row<schema::Issue>(batch, Table::issues, Key().u64(noted.target()));
  // One of them is gone, or they are one again.
  if (!source || !target || source->merged_into() != 0 || target->merged_into() != 0)
    return batch.remove(Table::meta, note);
  const auto counters_of = [&](std::uint64_t issue) {
    return find_row<schema::IssueCounters>(batch, Table::issue_counters, Key().u64(issue)).value_or(schema::IssueCounters());
  };
  Pair pair{*std::move(source), *std::move(target), counters_of(noted.source()), counters_of(noted.target())};
  const auto source_before_ms = pair.source_counters.last_seen_ms();
  const auto target_before_ms = pair.target_counters.last_seen_ms();
  fold_tags_of(batch, noted.source());
  fold_tags_of(batch, noted.target());
  for (const auto& mover : looked.movers)
    move_event(batch, pair, mover);
  if (looked.done) settle_source(batch, pair);
  move_last_seen(batch, pair.source, source_before_ms, pair.source_counters.last_seen_ms());
  move_last_seen(batch, pair.target, target_before_ms, pair.target_counters.last_seen_ms());
  for (const auto& [issue, counters] : {std::pair(&pair.source, &pair.source_counters), std::pair(&pair.target, &pair.target_counters)}) {
    put_row(batch, Table::issues, Key().u64(issue->id()), *issue);
    put_row(batch, Table::issue_counters, Key().u64(issue->id()), *counters);
  }
  if (looked.done) return batch.remove(Table::meta, note);
  move->set_after(looked.after);
  put_row(batch, Table::meta, note, *move);
}

}  // namespace

std::uint64_t split_issue(Batch& batch, const schema::Issue& source, std::span<const GroupingHash> hashes) {
  auto project = find_row<schema::Project>(batch, Table::projects, Key().u64(source.project())).value_or(schema::Project());
  const auto number = std::max<std::uint64_t>(1, project.next_short_id());
  project.set_next_short_id(number + 1);
  put_row(batch, Table::projects, Key().u64(source.project()), project);

  schema::Issue issue;
  issue.set_id(batch.next_number("issue"));
  issue.set_project(source.project());
  issue.set_short_number(number);
  issue.set_issue_type(source.issue_type());
  issue.set_title(source.title());
  issue.set_culprit(source.culprit());
  issue.set_type(source.type());
  issue.set_metadata_json(source.metadata_json());
  issue.set_platform(source.platform());
  issue.set_level(source.level());
  issue.set_priority(source.priority());
  issue.set_substatus(static_cast<std::uint32_t>(Substatus::ongoing));
  issue.set_first_seen_ms(source.first_seen_ms());
  schema::IssueCounters counters;
  counters.set_last_seen_ms(source.first_seen_ms());
  batch.put(Table::short_ids, Key().u64(source.project()).u64(number), Key().u64(issue.id()));
  // Which of the texts are whose is not known: each keeps all.
  if (const auto texts = find_row<schema::IssueTexts>(batch, Table::issue_texts, Key().u64(source.id()))) {
    put_row(batch, Table::issue_texts, Key().u64(issue.id()), *texts);
    issue.set_text_signature(source.text_signature());
  }
  put_row(batch, Table::issues, Key().u64(issue.id()), issue);
  put_row(batch, Table::issue_counters, Key().u64(issue.id()), counters);
  move_last_seen(batch, issue, -1, counters.last_seen_ms());

  schema::IssueMove move;
  move.set_source(source.id());
  move.set_target(issue.id());
  for (const auto& hash : hashes) {
    const auto raw = raw_bytes(hash);
    const auto from = Key().u64(source.id()).raw(raw);
    const std::string event(batch.get(Table::hashes_by_issue, from).value_or(""));
    batch.remove(Table::hashes_by_issue, from);
    batch.put(Table::hashes_by_issue, Key().u64(issue.id()).raw(raw), event);
    batch.put(Table::issue_hashes, Key().u64(source.project()).raw(raw), Key().u64(issue.id()));
    move.add_hashes(KeyReader(raw).u64());
  }
  put_row(batch, Table::meta, Key().raw(move_prefix).u64(source.id()).u64(issue.id()), move);
  return issue.id();
}

Result<std::size_t> continue_split(buffer::Tables& tables,
                                   const buffer::Journal& journal,
                                   const schema::IssueMove& move,
                                   std::size_t most) {
  const auto looked = look(tables.snapshot(), journal, move, most);
  const auto written = tables.write([&](Batch& batch) { write_looked(batch, move, looked); });
  if (!written) return written.error();
  return looked.rows;
}

}  // namespace picket::digest

#include "api/digest/batch_writer.h"

#include "buffer/event_ids.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;
using relay::Outcome;

Key place_key(const ItemPlace& place) {
  return std::move(Key().u64(place.sequence).u16(place.item));
}

void load_projects(WriteContext& context) {
  for (const auto project : context.parsed.projects) {
    auto row =
        buffer::find_row<schema::Project>(context.batch, Table::projects, Key().u64(project));
    if (row) {
      context.projects[project].row = *std::move(row);
    } else {
      // Deleted since intake accepted it: no rows without a project, but a count of what they were.
      context.outcomes.reject(project, "project_id");
    }
  }
}

void count_event(WriteContext& context,
                 const DigestedEvent& event,
                 Outcome outcome,
                 std::string_view reason) {
  if (event.ours) return;
  context.outcomes.add({.project = event.place.project,
                        .hour_ms = hour_of(time_from_ms(event.place.received_ms)),
                        .category = event.category,
                        .outcome = outcome,
                        .reason = std::string(reason),
                        .key = event.place.key},
                       1);
}

// Leaves out events whose id is already there.
void keep_first_of_each_id(WriteContext& context) {
  const auto& events = context.parsed.events;
  std::vector<std::uint32_t> order(events.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(events[a].place.project, events[a].id.bytes) <
           std::tie(events[b].place.project, events[b].id.bytes);
  });
  buffer::EventIdLookup known(context.batch);
  const DigestedEvent* before = nullptr;
  for (const auto index : order) {
    const auto& event = events[index];
    if (!context.projects.contains(event.place.project)) {
      count_event(context, event, Outcome::invalid, "project_id");
      continue;
    }
    const bool repeated =
        before != nullptr && before->place.project == event.place.project && before->id == event.id;
    before = &event;
    if (repeated || known.find(event.place.project, relay::raw_bytes(event.id))) {
      count_event(context, event, Outcome::invalid, "duplicate");
      ++context.summary.duplicates;
      continue;
    }
    context.kept.push_back(index);
  }
  std::ranges::sort(context.kept);
}

void write_event_ids(WriteContext& context) {
  std::map<std::uint64_t, std::vector<buffer::NewEventId>> by_project;
  for (const auto index : context.kept) {
    const auto& event = context.event(index);
    by_project[event.place.project].push_back(
        {relay::raw_bytes(event.id), {event.place.sequence, event.place.item}});
  }
  for (const auto& [of, sequence] : context.parsed.record_ids) {
    if (context.projects.contains(of.first)) by_project[of.first].push_back({of.second, {sequence, 0}});
  }
  for (const auto& [project, ids] : by_project)
    buffer::add_event_ids(context.batch, project, ids);
}

void count_events(WriteContext& context) {
  for (const auto index : context.kept)
    count_event(context, context.event(index), Outcome::accepted, "");
  for (const auto index : context.discarded)
    count_event(context, context.event(index), Outcome::filtered, "discarded-hash");
  context.summary.events = context.kept.size();
}

std::uint64_t short_hash(const DigestedEvent& event) {
  return event.hashes.empty() ? 0 : buffer::KeyReader(raw_bytes(event.hashes.front())).u64();
}

void write_event_rows(WriteContext& context) {
  schema::EventRow row;
  std::string bytes;
  for (const auto index : context.kept) {
    const auto& event = context.event(index);
    row.Clear();
    row.set_event_id(std::string(relay::raw_bytes(event.id)));
    row.set_project(event.place.project);
    row.set_issue(context.issue_of[index]);
    row.set_timestamp_ms(event.timestamp_ms);
    row.set_received_ms(event.place.received_ms);
    row.set_category(static_cast<std::uint32_t>(event.category));
    row.set_level(static_cast<std::uint32_t>(event.level));
    row.set_payload_json(event.payload_json.data(), event.payload_json.size());
    row.set_hash(short_hash(event));
    bytes.clear();
    row.AppendToString(&bytes);
    context.batch.put(Table::events, place_key(event.place), bytes);
  }
}

void write_event_indexes(WriteContext& context) {
  auto order = context.kept;
  std::erase_if(order, [&](std::uint32_t index) { return !context.event(index).has_issue; });
  const auto by_project = [&](std::uint32_t index) {
    const auto& place = context.event(index).place;
    return std::tie(place.project, place.received_ms, place.sequence, place.item);
  };
  std::ranges::sort(order, {}, by_project);
  for (const auto index : order) {
    const auto& event = context.event(index);
    const auto& place = event.place;
    const auto key = Key()
                         .u64(place.project)
                         .u64(static_cast<std::uint64_t>(place.received_ms))
                         .raw(place_key(place));
    context.batch.put(Table::events_by_project, key, {});
  }
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(context.issue_of[a], context.event(a).timestamp_ms, a) <
           std::tuple(context.issue_of[b], context.event(b).timestamp_ms, b);
  });
  for (const auto index : order) {
    const auto& event = context.event(index);
    const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, event.timestamp_ms));
    const auto key = Key().u64(context.issue_of[index]).u64(at).raw(place_key(event.place));
    context.batch.put(Table::events_by_issue, key, {});
  }
}

void write_raw_items(WriteContext& context) {
  schema::RawItem row;
  for (const auto& raw : context.parsed.raw_items) {
    if (!context.projects.contains(raw.place.project)) continue;
    row.Clear();
    row.set_type(raw.type.data(), raw.type.size());
    row.set_project(raw.place.project);
    row.set_received_ms(raw.place.received_ms);
    if (raw.has_id) row.set_event_id(std::string(relay::raw_bytes(raw.id)));
    const auto key = Key().u64(raw.place.project).text(raw.type).raw(place_key(raw.place));
    buffer::put_row(context.batch, Table::raw_items, key, row);
  }
}

void write_projects(WriteContext& context) {
  for (const auto index : context.kept) {
    const auto& event = context.event(index);
    auto& project = context.projects[event.place.project];
    if (!event.has_issue || project.row.first_event_ms() != 0) continue;
    project.row.set_first_event_ms(event.timestamp_ms);
    project.changed = true;
  }
  for (const auto& [id, project] : context.projects) {
    if (project.changed)
      buffer::put_row(context.batch, Table::projects, Key().u64(id), project.row);
  }
}

void write_cursor(WriteContext& context) {
  auto row = buffer::find_row<schema::Cursor>(context.batch, Table::cursors, digest_consumer)
                 .value_or(schema::Cursor());
  row.set_next_sequence(context.parsed.next);
  row.set_updated_ms(to_ms(context.now));
  row.set_envelopes(row.envelopes() + context.parsed.envelopes);
  buffer::put_row(context.batch, Table::cursors, digest_consumer, row);
}

using SectionWriter = void (*)(WriteContext& context);

// In this order: what comes later may use what came earlier.
constexpr SectionWriter event_sections[] = {
    load_projects,   keep_first_of_each_id, write_issues,        count_events, write_event_ids,
    write_event_rows, write_event_indexes,  write_tags,          write_sessions, write_releases,
    write_raw_items, write_reports,         write_facts,         write_replays, write_projects,
};
// These may write events of their own: all that is held of projects and issues is written before.
constexpr SectionWriter later_sections[] = {write_check_ins};

}  // namespace

WriteSummary write_batch(buffer::Batch& batch, const ParsedBatch& parsed, Time now) {
  WriteContext context{.batch = batch, .parsed = parsed, .now = now};
  context.outcomes = parsed.outcomes;
  context.issue_of.resize(parsed.events.size());
  for (const auto write_section : event_sections)
    write_section(context);
  for (const auto write_section : later_sections)
    write_section(context);
  context.outcomes.write(batch);
  parsed.ledger.write(batch);
  context.summary.duplicates += context.parsed.repeated;
  context.summary.invalid = context.outcomes.quantity(Outcome::invalid);
  write_cursor(context);
  return context.summary;
}

void write_own_events(buffer::Batch& batch, const ParsedBatch& parsed, Time now) {
  WriteContext context{.batch = batch, .parsed = parsed, .now = now};
  context.issue_of.resize(parsed.events.size());
  for (const auto write_section : event_sections)
    write_section(context);
}

}  // namespace picket::digest

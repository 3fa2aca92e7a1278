#include "api/digest/trim.h"

#include "buffer/event_ids.h"
#include "api/digest/placed.h"
#include "api/facts/store.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Sequence;
using buffer::Table;

constexpr std::size_t place_bytes = 10;  // sequence and item at the end of a key

struct Doomed {
  std::vector<std::string> events;
  std::vector<std::string> ids;
  std::vector<std::string> by_issue;
  std::vector<std::string> by_project;
  std::vector<std::string> raw;
  std::vector<std::string> attachments;
};

void gather_event(const buffer::Reader& reader,
                  std::string_view place,
                  std::string_view bytes,
                  Doomed& doomed) {
  const auto row = buffer::parse_row<schema::EventRow>(bytes);
  doomed.events.emplace_back(place);
  const auto id = Key().u64(row.project()).raw(row.event_id());
  // A later event may have taken the id over after a restore; its entry is not ours.
  if (const auto holder = reader.get(Table::event_ids, id); holder && *holder == place)
    doomed.ids.emplace_back(id.view());
  if (row.issue() == 0) return;
  const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.timestamp_ms()));
  const auto received = static_cast<std::uint64_t>(row.received_ms());
  doomed.by_issue.emplace_back(Key().u64(row.issue()).u64(at).raw(place).view());
  doomed.by_project.emplace_back(Key().u64(row.project()).u64(received).raw(place).view());
}

// True when all events before the floor are gathered.
bool gather_events(const buffer::Reader& reader, Sequence floor, std::size_t most, Doomed& doomed) {
  auto cursor = reader.cursor(Table::events);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    if (KeyReader(cursor.key()).u64() >= floor) return true;
    if (doomed.events.size() == most) return false;
    gather_event(reader, cursor.key(), cursor.value(), doomed);
  }
  return true;
}

// Raw items are kept by project and type: each such run begins with its oldest.
bool gather_raw(const buffer::Reader& reader, Sequence floor, std::size_t most, Doomed& doomed) {
  auto cursor = reader.cursor(Table::raw_items);
  bool there = cursor.first();
  while (there) {
    KeyReader key(cursor.key());
    const auto project = key.u64();
    const auto type = key.text();
    if (key.u64() < floor) {
      if (doomed.raw.size() == most) return false;
      doomed.raw.emplace_back(cursor.key());
      if (type == "attachment") {
        const auto place = cursor.key().substr(cursor.key().size() - place_bytes);
        const auto row = buffer::parse_row<schema::RawItem>(cursor.value());
        doomed.attachments.emplace_back(Key().u64(project).raw(row.event_id()).raw(place).view());
      }
      there = cursor.next();
    } else {
      const auto past =
          Key().u64(project).text(type).raw("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
      there = cursor.seek(past);
    }
  }
  return true;
}

void remove_all(buffer::Batch& batch, Table table, std::vector<std::string>& keys) {
  std::ranges::sort(keys);
  for (const auto& key : keys)
    batch.remove(table, key);
}

}  // namespace

Sequence journal_floor(const buffer::Reader& reader) {
  const auto stored = reader.get(Table::meta, "journal_floor");
  return stored ? KeyReader(*stored).u64() : 0;
}

Result<Trimmed> trim_before(buffer::Tables& tables, Sequence floor, std::size_t most_rows) {
  Trimmed trimmed;
  {
    // A look before the write: usually there is nothing to do, and that should cost no commit.
    const auto snapshot = tables.snapshot();
    Doomed any;
    if (gather_events(snapshot, floor, 0, any) && gather_raw(snapshot, floor, 0, any) &&
        !facts::anything_to_trim(snapshot, floor) && !buffer::any_event_ids_before(snapshot, floor) &&
        !any_placed_before(snapshot, floor))
      return Trimmed{0, true};
  }
  const auto written = tables.write([&](buffer::Batch& batch) {
    Doomed doomed;
    const bool all_events = gather_events(batch, floor, most_rows, doomed);
    const bool all_raw = gather_raw(batch, floor, most_rows, doomed);
    // Blocks are large: they go when the rows have gone.
    facts::TrimmedFacts blocks{0, false};
    buffer::TrimmedIdRuns runs{0, false};
    if (all_events && all_raw) {
      const auto most = std::max<std::size_t>(1, most_rows / 50);
      blocks = facts::trim_facts(batch, floor, most);
      runs = buffer::trim_event_ids(batch, floor, most);
    }
    const auto placed = trim_placed(batch, floor, most_rows);
    trimmed = {doomed.events.size() + doomed.raw.size() + blocks.blocks + runs.runs + placed.rows,
               all_events && all_raw && blocks.done && runs.done && placed.done};
    remove_all(batch, Table::events, doomed.events);
    remove_all(batch, Table::event_ids, doomed.ids);
    remove_all(batch, Table::events_by_issue, doomed.by_issue);
    remove_all(batch, Table::events_by_project, doomed.by_project);
    remove_all(batch, Table::raw_items, doomed.raw);
    remove_all(batch, Table::attachments, doomed.attachments);
  });
  if (!written) return written.error();
  return trimmed;
}

}  // namespace picket::digest

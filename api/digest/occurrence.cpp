#include "api/digest/occurrence.h"

#include "api/digest/batch_writer.h"
#include "api/digest/item_reader.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

// Items of envelopes stay below this, and cursors of event lists have room up to 16,384.
constexpr std::uint16_t first_own_item = 11'000;
constexpr std::uint16_t last_own_item = 16'000;

// A free place behind what has been digested, so that retention lets go of it with its neighbours.
// When nothing comes for long and the places are used up, those of the record before are next.
ItemPlace free_place(const buffer::Batch& batch) {
  const auto cursor = buffer::find_row<schema::Cursor>(batch, Table::cursors, digest_consumer);
  ItemPlace place;
  place.sequence = cursor && cursor->next_sequence() > 1 ? cursor->next_sequence() - 1 : 1;
  for (;; --place.sequence) {
    place.item = first_own_item;
    auto last = batch.cursor(Table::events);
    if (!last.seek_before(Key().u64(place.sequence).u16(last_own_item + 1))) return place;
    buffer::KeyReader key(last.key());
    const auto sequence = key.u64();
    const auto item = key.u16();
    if (sequence != place.sequence || item < first_own_item) return place;
    if (item < last_own_item) {
      place.item = static_cast<std::uint16_t>(item + 1);
      return place;
    }
    if (place.sequence <= 1) return place;
  }
}

}  // namespace

void write_occurrence(buffer::Batch& batch, const Occurrence& occurrence) {
  const auto event = parse_event(occurrence.payload);
  if (!event) return;
  ParsedBatch parsed;
  auto place = free_place(batch);
  place.project = occurrence.project;
  place.received_ms = to_ms(occurrence.at);
  parsed.projects.insert(occurrence.project);
  auto& added = add_event(parsed, *event, place, occurrence.id, place.received_ms);
  added.ours = true;
  added.issue_type = parsed.text.keep(occurrence.issue_type);
  added.payload_json = parsed.text.keep(occurrence.payload);
  write_own_events(batch, parsed, occurrence.at);
}

}  // namespace picket::digest

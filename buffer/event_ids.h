// Where the event with an id lies: Table::event_id_runs, key project u64 ‖ run number u64, value a run
// (event_id_run.h).
//
// A row an id cost 66 bytes and a page written at a random place for every event. What a batch brings
// is a run of its own, made one with the last ones that are no larger: an id is written again some five
// times until its run is full, and a look-up asks a run for every 65,535 events of the project. Of a run
// of more than 8,192 ids that is the one of its parts that may have it; parts follow each other by number.
//
// INVARIANT  An id is found exactly as long as its event has a row. A run may name events that have
//            none any more; it goes with the last record that it names, or with its project.
//            It may also name what is no event, for who knows that by itself (api/digest/repeats.h).
// Ids from before there were runs have rows in Table::event_ids, which are read and removed only.
// THREADS    add_event_ids(), trim and removal within a batch; looking up in any snapshot.
#pragma once

#include "buffer/event_id_run.h"
#include "buffer/tables.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace picket::buffer {

struct EventSpot {
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
  friend bool operator==(const EventSpot&, const EventSpot&) = default;
};

// Many look-ups, which cost least when those of a project come one after another. Must not outlive
// its reader, nor a change to the tables.
class EventIdLookup {
 public:
  explicit EventIdLookup(const Reader& reader);
  std::optional<EventSpot> find(std::uint64_t project, std::string_view raw_id);
  // Where something with this id may lie, an event or not; valid until the next call.
  std::span<const HashedId> candidates(std::uint64_t project, std::string_view raw_id);

 private:
  const Reader& reader_;
  std::optional<IdHashSecret> secret_;  // none: there are no runs
  bool old_rows_;
  std::optional<std::uint64_t> project_;  // that the runs are of
  std::vector<IdRun> runs_;               // newest first
  std::array<std::vector<std::size_t>, std::size_t{1} << part_bits> by_eighth_;  // which of them may have such a hash
  std::vector<HashedId> candidates_;
};
std::optional<EventSpot> find_event_id(const Reader& reader, std::uint64_t project, std::string_view raw_id);

struct NewEventId {
  std::string_view raw_id;
  EventSpot spot;
};
// REQUIRES: none of them is there.
void add_event_ids(Batch& batch, std::uint64_t project, const std::vector<NewEventId>& ids);

struct TrimmedIdRuns {
  std::size_t runs = 0;
  bool done = true;
};
// Removes runs that name no record from `floor` on, `most` at most.
TrimmedIdRuns trim_event_ids(Batch& batch, std::uint64_t floor, std::size_t most);
bool any_event_ids_before(const Reader& reader, std::uint64_t floor);

// Removes up to `most` events of a project that is deleted, and the runs that name them. Fewer than
// `most`: all are gone.
std::size_t remove_events_of_project(Batch& batch, std::uint64_t project, std::size_t most);

}  // namespace picket::buffer

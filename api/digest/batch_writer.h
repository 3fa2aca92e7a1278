// Writes a parsed batch into the tables: everything it says, and the digest's cursor, in the one
// transaction that the caller holds.
//
// Rows are written in key order, table by table: LMDB then finds each page where the last one was.
#pragma once

#include "api/digest/parsed_batch.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>
#include <map>
#include <vector>

namespace picket::digest {

constexpr std::string_view digest_consumer = "digest";  // its key in Table::cursors

struct WriteSummary {
  std::uint64_t events = 0;  // new ones
  std::uint64_t duplicates = 0;
  std::uint64_t issues = 0;  // created
  std::uint64_t regressions = 0;
  std::uint64_t invalid = 0;  // items counted as invalid, duplicates included
};

WriteSummary write_batch(buffer::Batch& batch, const ParsedBatch& parsed, Time now);
// The events of `parsed` and what they touch, without its outcomes and the cursor: for events that do
// not come from the journal.
void write_own_events(buffer::Batch& batch, const ParsedBatch& parsed, Time now);

// ---- what the parts of writing share
// ---------------------------------------------------------------

struct ProjectState {
  schema::Project row;
  bool changed = false;
};

// A release and an environment that something other than an event was seen in.
struct Sighting {
  std::uint64_t project = 0;
  std::string_view release;
  std::string_view environment;
  std::int64_t received_ms = 0;
};

struct WriteContext {
  buffer::Batch& batch;
  const ParsedBatch& parsed;
  Time now;
  std::map<std::uint64_t, ProjectState> projects{};  // those that exist
  OutcomeSums outcomes{};
  std::vector<std::uint32_t> kept{};      // indices of the events to write, ascending by place
  std::vector<std::uint32_t> discarded{};  // those that a tombstone takes, ascending
  std::vector<std::uint64_t> issue_of{};  // by event index; 0: none
  // How many issues of each project began in a release: by (organization, version), then project.
  std::map<std::pair<std::uint64_t, std::string_view>, std::map<std::uint64_t, std::uint64_t>>
      new_issues{};
  std::vector<Sighting> sightings{};  // for write_releases
  WriteSummary summary{};

  const DigestedEvent& event(std::uint32_t index) const { return parsed.events[index]; }
};

void write_sessions(WriteContext& context);  // session_writer.cpp; adds sightings
void write_reports(WriteContext& context);   // report_writer.cpp; user reports, attachments
void write_check_ins(WriteContext& context);  // monitor_writer.cpp; after all rows of projects
void write_issues(WriteContext& context);    // issue_writer.cpp; fills issue_of, discarded and new_issues
void write_tags(WriteContext& context);      // tag_writer.cpp
void write_releases(WriteContext& context);  // release_writer.cpp; environments, too
void write_facts(WriteContext& context);     // fact_writer.cpp
void write_replays(WriteContext& context);   // replay_writer.cpp; profiles, too

}  // namespace picket::digest

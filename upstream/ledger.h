// What one destination has to write into the tables, gathered until it is written: cursor, row,
// counters and quarantine rows, in ONE batch, so that the counters always equal the cursor.
//
// INVARIANT  A record is counted in the change whose cursor passes it, or whose deferred list no
//            longer names it.
// THREADS    A Ledger belongs to the worker; a Change is handed to the scribe whole.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "buffer/sequence_marks.h"
#include "buffer/tables.h"
#include "upstream/window.h"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

struct CountKey {
  relay::ProjectId project = 0;
  std::int64_t hour_ms = 0;  // of arrival
  std::uint8_t category = 0;
  std::uint8_t fate = 0;
  friend auto operator<=>(const CountKey&, const CountKey&) = default;
};

struct Change {
  std::string name;
  buffer::Sequence cursor = 0;
  std::uint64_t generation = 0;  // of the row that it builds on: written only while that is in use
  // The worker's fields of the row; the operator's (paused, retry_generation, drain_until …) stay as stored.
  schema::Destination row;
  // Added to the stored ones. Negative where a quarantined envelope is tried again.
  std::int64_t forwarded = 0;
  std::int64_t quarantined = 0;
  std::int64_t expired = 0;
  std::int64_t not_routed = 0;
  std::int64_t not_sampled = 0;
  std::int64_t forwarded_bytes = 0;
  std::map<CountKey, std::int64_t> counts;
  std::vector<schema::Quarantined> quarantine;
  std::vector<buffer::Sequence> released;  // quarantine rows that go
  buffer::MarkChanges marks;
  buffer::Sequence journal_first = 0;      // marks of what lies before it go
  std::uint64_t settled = 0;               // records in this change that a crash would send again
};

void apply(buffer::Batch& batch, const Change& change, Time now);

std::string cursor_name(std::string_view destination);
std::string quarantine_key(std::string_view destination, buffer::Sequence sequence);

// What a quarantine row was counted as; nothing for one of an older Picket, which did not note it.
std::optional<Label> quarantined_label(const schema::Quarantined& row);

class Ledger {
 public:
  // Counts the record with its fate; deferred and skipped ones count nothing.
  void add(const Settled& settled, Time now);
  // Takes back that a record was quarantined, and what was left out of it.
  void release(const Label& label);
  // A resend's: counted by the resend itself (Destination.resend).
  void note_resent() { dirty_ = true, ++change_.settled; }
  buffer::MarkChanges& marks() { return change_.marks; }
  void touch() { dirty_ = true; }
  bool dirty() const { return dirty_; }
  std::uint64_t settled() const { return change_.settled; }
  // The caller fills in name, cursor and row.
  Change take();

 private:
  void count(const Label& label, Fate fate, std::int64_t sign);
  Change change_;
  bool dirty_ = false;
};

}  // namespace picket::upstream

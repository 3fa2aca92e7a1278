// What an event does to the state of its issue: a resolved one comes back, an archive ends, an ongoing
// one escalates.
//
// THREADS  Within a batch.
#pragma once

#include "api/digest/batch_writer.h"
#include "api/digest/issue_archive.h"
#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <optional>

namespace picket::digest {

// An issue of the batch, as it stands while the batch is written.
struct IssueState {
  schema::Issue row;
  schema::IssueCounters counters;
  std::int64_t stored_last_seen_ms = 0;
  bool created = false;
  bool row_changed = false;
  std::optional<schema::IssueSnooze> snooze;  // of an archived one, once an event has asked for it
  std::optional<schema::IssueTexts> texts;    // once an event may have brought new ones
  bool texts_changed = false;
};

class IssueWatch {
 public:
  explicit IssueWatch(WriteContext& context) : context_(context), batch_(context.batch) {}

  // REQUIRES: the event is counted in the issue's counters already.
  void on_event(const DigestedEvent& event, IssueState& state);

 private:
  void reopen(const DigestedEvent& event, IssueState& state);
  void watch_rate(const DigestedEvent& event, IssueState& state);
  void watch_archive(const DigestedEvent& event, IssueState& state);
  schema::IssueSnooze* snooze_of(IssueState& state);
  ArchivedEvent archived_event(const DigestedEvent& event, const IssueState& state) const;

  WriteContext& context_;
  buffer::Batch& batch_;
};

}  // namespace picket::digest

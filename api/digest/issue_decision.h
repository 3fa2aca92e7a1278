// What somebody decides about an issue, here or elsewhere: its state, its assignee, its priority.
//
// Each of these parts has a stamp (buffer/stamp.h). A decision made here gets the next one; one that
// was made elsewhere brings its own, and counts only when that is later than the part's.
//
// THREADS  Within a batch.
#pragma once

#include "api/digest/issue_archive.h"
#include "api/digest/issue_state.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/stamp.h"
#include "buffer/tables.h"

#include <cstdint>
#include <optional>
#include <string>

namespace picket::digest {

// Where a decision comes from when it was not made here.
struct Elsewhere {
  schema::Stamp stamp;
  std::string origin;  // for the activity: "upstream cloud", or what the sender calls itself
};

struct StateDecision {
  Status status = Status::unresolved;
  Substatus substatus = Substatus::none;
  std::string details_json;       // statusDetails as stored; empty for none
  ArchiveConditions conditions;   // of an archive
  std::string resolved_after;     // the release that the details do not name
  std::uint64_t user = 0;         // who decided; 0: nobody, or somebody without an account
};

// Makes decisions about one issue's row, stamps what they change, and enters the issue as changed
// (Table::issue_changes). The caller writes the row and the activities.
class Deciding {
 public:
  Deciding(buffer::Batch& batch, schema::Issue& issue, std::int64_t now_ms, std::optional<Elsewhere> elsewhere);

  // When the decision was made, as far as a feed can show it: never in the future.
  std::int64_t at_ms() const { return at_ms_; }
  const std::optional<Elsewhere>& elsewhere() const { return elsewhere_; }
  // Whether the row differs from what the caller gave.
  bool changed() const { return changed_; }

  // Each is true when the part became another. One from elsewhere that is the same leaves its stamp,
  // one that comes too late leaves nothing.
  bool set_state(const StateDecision& decision);
  bool assign(std::uint64_t user, std::uint64_t team);
  bool set_priority(Priority priority);
  // What was decided elsewhere is what the part is already.
  void confirm(buffer::IssuePart part);

 private:
  bool comes_too_late(buffer::IssuePart part) const;
  bool take_stamp(buffer::IssuePart part, bool another);

  buffer::Batch& batch_;
  schema::Issue& issue_;
  std::optional<Elsewhere> elsewhere_;
  std::int64_t at_ms_ = 0;
  bool changed_ = false;
};

// Stamps what an event, a rule or time has changed: nobody's decision, so not told to upstreams.
void stamp_automatic(buffer::Batch& batch, schema::Issue& issue, buffer::IssuePart part, std::int64_t at_ms);

}  // namespace picket::digest

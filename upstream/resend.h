// A resend: records that the cursor has passed are sent again, or at last, at the operator's wish
// (`picket upstream resend`). What the destination has acknowledged is passed over.
//
//   acknowledged  =  behind the cursor, waiting nowhere, and not marked as never sent (sequence_marks.h)
//
// INVARIANT  Its place moves over what is settled, in order, and is written with the marks: a crash
//            looks again at what lies behind it, and sends again what was settled in the last 200 ms.
// INVARIANT  Nothing is judged before the cursor that has passed it is durable.
// INVARIANT  Memory: one batch of the journal, `most_ahead` places.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/sequence_marks.h"
#include "buffer/tables.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

class Resend {
 public:
  static constexpr std::size_t most_ahead = 1'024;

  // What became of a record. `passed`: it was not asked for.
  enum class End : std::uint8_t { passed, sent, already_there, not_wanted, refused, gone };

  // As the row has it: a new one, one to go on with, or none. False when that is the one known.
  bool take_up(const schema::Destination& row);
  bool under_way() const { return job_.id() != 0 && job_.ended_ms() == 0; }
  bool may_look() const { return under_way() && ahead_.size() < most_ahead && next_ < job_.end(); }

  // What the rest of the destination knows.
  struct Known {
    std::string destination;
    buffer::Sequence passed = 0;   // every record before it was settled, and that is durable
    buffer::Sequence started = 1;  // the destination's first record
    std::function<bool(buffer::Sequence)> waits;  // behind the cursor
  };
  // Looks at a batch of records at most; the next to send, nothing when none was found among them or
  // what comes next is not durable yet (`stuck` then). The record is good until the next call.
  const buffer::StoredRecord* look(const buffer::Journal& journal, const buffer::Tables& tables, const Known& known);
  bool stuck() const { return stuck_; }
  // Something has changed: the next look is worth it.
  void loosen() { stuck_ = false; }

  void settle(buffer::Sequence sequence, End end, buffer::MarkChanges& marks);
  // Ends it when everything is settled; true when it did.
  bool finish(Time now);

  const schema::Resend& job() const { return job_; }

 private:
  bool load_batch(const buffer::Journal& journal, const buffer::Tables& tables, const Known& known);
  End judge(const buffer::StoredRecord& record, const buffer::Reader& tables, const Known& known) const;
  bool is_duplicate(const buffer::StoredRecord& record, const buffer::Reader& tables, const Known& known) const;
  bool acknowledged(buffer::Sequence sequence, const buffer::Reader& tables, const Known& known) const;
  void note(buffer::Sequence sequence, End end);

  schema::Resend job_;
  buffer::Sequence next_ = 0;  // to be looked at
  std::deque<std::optional<End>> ahead_;  // from job_.next() to next_
  buffer::Sequence started_ = 1;
  buffer::ReadBatch batch_;
  std::size_t in_batch_ = 0;
  buffer::Sequence batch_first_ = 0;
  std::vector<bool> not_sent_;  // of the batch, from batch_first_ on, as the next two
  std::vector<bool> resent_;
  std::vector<bool> picked_;
  bool stuck_ = false;
};

}  // namespace picket::upstream

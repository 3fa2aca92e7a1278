// Decides which records the journal may forget, makes the decision durable, then has them recycled.
//
//   too old (config.retention)                                    ──► forgotten, read or unread
//   all of it moved to forward-only destinations (moved.h)        ──► forgotten
//   room needed, every consumer has read it                       ──► forgotten
//   room needed to recompress another one, all have read it       ──► forgotten
//   room low, unread, when_full = "drop_oldest"                   ──► bodies worth least are dropped
//   room needed, unread, when_full = "drop_oldest"                ──► forgotten
//   room needed, unread, when_full = "refuse"                     ──► kept; the journal refuses new ones
//
// Room is needed when no file for a next segment is at hand: one is kept in reserve, so that intake
// never has to wait for this; and when the disk has less than its reserve left, which gets files back
// then. A consumer's cursor tells what it has read (Table::cursors).
//
// It also finds out at which step of the ladder of "full" the journal stands (RoomStep), and leaves
// word of it in the tables for whoever looks from outside: meta `journal_room`.
//
// INVARIANT  meta `journal_floor` never goes back, and is durable before anything is recycled.
// THREADS    start() runs a thread of its own; run_once() from one thread at a time.
#pragma once

#include "buffer/clock.h"
#include "buffer/config.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "buffer/schema/rows.pb.h"
#include "buffer/segment_rewrite.h"
#include "buffer/tables.h"

#include <optional>
#include <thread>

namespace picket::buffer {

// The smallest cursor of the consumers; 1 while the digest has not started, as it reads everything.
Sequence smallest_cursor(const Tables& tables);
// The greatest cursor of all consumers: what JournalOptions::next_at_least wants to know.
Sequence greatest_cursor(const Tables& tables);
// Records before this sequence may be gone.
Sequence read_journal_floor(const Tables& tables);
// What the serving process last said of its room; nothing when none ever did.
std::optional<schema::JournalRoom> read_journal_room(const Reader& tables);

class Retention {
 public:
  // Where the oldest may be dropped, bodies that `worth_least` picks go first, while room is low.
  Retention(Tables& tables,
            Journal& journal,
            const Clock& clock,
            const StorageConfig& config,
            PickRecord worth_least = {});

  // Forgets what may be forgotten now.
  Result<void> run_once();
  // Does so several times a second, in the background, until the object ends.
  void start();

 private:
  bool may_go(const SegmentUse& oldest) const;
  Result<void> forget_what_may_go();
  void drop_what_is_worth_least();
  void tell_room();
  Result<void> forget_before(Sequence floor);

  Tables& tables_;
  Journal& journal_;
  const Clock& clock_;
  const Duration age_;
  const WhenFull when_full_;
  const PickRecord worth_least_;
  Sequence dropped_up_to_ = 0;
  bool failing_ = false;
  std::optional<schema::JournalRoom> told_;  // what the tables say
  std::uint32_t logged_step_ = 0;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace picket::buffer

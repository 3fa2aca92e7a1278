// What to do about one part of an issue (status, assignee or priority) that is one thing here and
// maybe another there: the last writer wins, and nothing goes back to where it came from. Pure.
//
// Another Picket tells a stamp with each part, so the later stamp wins, whatever came in between
// (buffer/stamp.h). A Sentry tells values and, in its activity, times. What changed on one side only
// since both were last seen to agree wins, whatever the clocks say; what changed on both sides goes
// to the later clock.
//
// INVARIANT  A change is told to a destination at most once: only what is later than `settled` is,
//            and then that becomes `settled`. What a tracker made itself is never told to it. So however
//            Pickets and trackers are connected, the number of requests is bounded by that of the
//            changes that people make.
// INVARIANT  What was changed automatically is not told: the events tell it.
#pragma once

#include "buffer/schema/rows.pb.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::upstream {

struct PartHere {
  std::string value;    // in the words of sync_state.h
  schema::Stamp stamp;  // ms 0: never changed
};
struct PartThere {
  std::string value;
  std::optional<schema::Stamp> stamp;  // of a Picket; ms 0: never changed
  std::int64_t changed_ms = 0;         // of a Sentry, by its activity; 0: never, or not known
  bool automatic = false;              // that change
};
// What is remembered between two looks; schema::LinkedPart as values.
struct PartSettled {
  std::string there;
  bool seen = false;  // `there` says something
  schema::Stamp here;
};

struct SyncMode {
  bool sends = false;
  bool receives = false;
};
SyncMode parse_sync_mode(std::string_view word);

enum class SyncVerdict : std::uint8_t {
  settle,  // nothing to be done: they agree, or are to be left as they are
  tell,
  take,
};
struct SyncDecision {
  SyncVerdict verdict = SyncVerdict::settle;
  schema::Stamp stamp;   // of what is taken
  bool another = false;  // taken: the value differs, not the stamp alone
};

// `tracker` is what the destination is called in stamps of changes that a Sentry made.
SyncDecision decide(const PartHere& here, const PartThere& there, const PartSettled& settled, SyncMode mode, std::string_view tracker);

// Whether a change here has still to be told, as far as that can be said without looking there.
bool to_be_told(const schema::Stamp& here, const schema::Stamp& settled, SyncMode mode, std::string_view tracker);

}  // namespace picket::upstream

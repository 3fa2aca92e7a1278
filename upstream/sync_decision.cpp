#include "upstream/sync_decision.h"

#include "buffer/stamp.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

using buffer::later;

SyncDecision take(schema::Stamp stamp, bool another) {
  return {SyncVerdict::take, std::move(stamp), another};
}

// Stamps on both sides.
SyncDecision decide_stamped(const PartHere& here, const PartThere& there, const PartSettled& settled, SyncMode mode, std::string_view tracker) {
  if (later(*there.stamp, here.stamp)) {
    const bool known = !later(*there.stamp, settled.here);
    if (!mode.receives || known) return {};
    return take(*there.stamp, here.value != there.value);
  }
  const bool same = !later(here.stamp, *there.stamp);
  if (same || !to_be_told(here.stamp, settled.here, mode, tracker)) return {};
  return {SyncVerdict::tell, {}, false};
}

}  // namespace

SyncMode parse_sync_mode(std::string_view word) {
  return {word == "send" || word == "both", word == "receive" || word == "both"};
}

bool to_be_told(const schema::Stamp& here, const schema::Stamp& settled, SyncMode mode, std::string_view tracker) {
  return mode.sends && !here.automatic() && here.origin() != tracker && later(here, settled);
}

SyncDecision decide(const PartHere& here, const PartThere& there, const PartSettled& settled, SyncMode mode, std::string_view tracker) {
  if (there.stamp) return decide_stamped(here, there, settled, mode, tracker);
  if (here.value == there.value) return {};
  const bool changed_there = settled.seen ? there.value != settled.there : there.changed_ms != 0;
  const bool changed_here = here.stamp.ms() != 0 && here.stamp.origin() != tracker && later(here.stamp, settled.here);
  const bool they_win = changed_there && (!changed_here || there.changed_ms >= here.stamp.ms());
  if (they_win) {
    if (!mode.receives) return {};
    auto stamp = buffer::next_stamp(here.stamp, there.changed_ms, tracker);
    stamp.set_automatic(there.automatic);
    return take(std::move(stamp), true);
  }
  if (!changed_here || !to_be_told(here.stamp, settled.here, mode, tracker)) return {};
  return {SyncVerdict::tell, {}, false};
}

}  // namespace picket::upstream

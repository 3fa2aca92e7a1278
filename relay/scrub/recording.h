// Replay recordings: what is sensitive in the events of a recording goes, and the recording is
// deflated again if it was. No more of it than one event is in memory: an event is some MB in a full
// snapshot, a recording up to 100 MiB in 10.
//
// A recording is read twice when something in it matches: first to see whether, as deflating takes
// longer than everything else.
//
// THREADS  Every function from any thread.
#pragma once

#include "relay/protocol/envelope.h"
#include "relay/scrub/rule.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace picket::scrub {

// Of a replay_recording item: the item without what the rules match, its header line as it was;
// nothing when nothing matched, and for what is no recording, has an event of more than
// `max_json_bytes`, or is larger than `bytes_left`, which its text is taken from.
std::optional<std::string> scrub_recording(const RuleSet& rules, std::string_view item, std::size_t& bytes_left);

// Bytes of the text of a replay_recording or replay_video item, counted up to `most`; 0 for other
// items and what is no recording.
std::size_t recording_bytes(const relay::Item& item, std::size_t most);

}  // namespace picket::scrub

// What the items of an envelope count for, and how large each kind may be. A violated limit refuses
// the whole envelope: an SDK must not be told 200 for an item that is not kept.
#pragma once

#include "relay/ingest/config.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/envelope.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// One entry per category, in order of first appearance.
std::vector<ItemCount> count_items(const relay::Envelope& envelope);

// The name of the first limit that is exceeded, "" when none is: an item type, or that of its
// group.
std::string_view find_exceeded_limit(const relay::Envelope& envelope, const IngestConfig& config);

// Types that only relays use among themselves.
bool is_internal(const relay::Item& item);

}  // namespace picket::ingest

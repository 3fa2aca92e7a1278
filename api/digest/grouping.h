// Which events belong together: from an event to what it is grouped by (api/grouping), and the hashes
// that find its issue.
#pragma once

#include "api/digest/event.h"
#include "api/grouping/grouping.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

using GroupingHash = grouping::Hash;

// Views into the event, valid as long as it.
grouping::Evidence evidence_of(const Event& event);

// Without what only an explanation needs.
grouping::Grouping group_event(const Event& event, const grouping::Config& config);

// Never empty; the first is the one that counts, further ones also find the issue.
std::vector<GroupingHash> hashes_of(const Event& event, const grouping::Config& config = grouping::Config::defaults());

}  // namespace picket::digest

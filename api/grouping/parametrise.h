// Messages without what differs between occurrences: "user 17 not found" → "user <int> not found".
#pragma once

#include <string>
#include <string_view>

namespace picket::grouping {

// Numbers, durations, dates, identifiers, hashes, addresses, hosts, quoted and boolean values of
// "key=value" are replaced by what they are. Linear in the text's length.
std::string parametrised(std::string_view text);

}  // namespace picket::grouping

// Replaces the parts of a message that differ from one occurrence to the next, so that messages
// that mean the same become the same.
#pragma once

#include <string>
#include <string_view>

namespace picket::digest {

// <url> <email> <uuid> <ip> <date> <hex> <float> <int> <quoted>; linear in the length of `text`.
std::string parametrised(std::string_view text);

}  // namespace picket::digest

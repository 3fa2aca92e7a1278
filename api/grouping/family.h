// Which platforms behave alike when it comes to stacks.
#pragma once

#include <cstdint>
#include <string_view>

namespace picket::grouping {

enum class Family : std::uint8_t { other = 1, native = 2, javascript = 4 };

// Of "cocoa", "node", …; an unknown platform is `other`.
Family family_of(std::string_view platform);
// The frame's own platform counts, else the event's.
inline std::string_view platform_of(std::string_view frame, std::string_view event) {
  return frame.empty() ? event : frame;
}

}  // namespace picket::grouping

// Which events belong together: one pure function from an event to the hashes that find its issue.
#pragma once

#include "api/digest/event.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::digest {

struct GroupingHash {
  std::array<std::uint8_t, 16> bytes{};  // md5
  friend bool operator==(const GroupingHash&, const GroupingHash&) = default;
  friend auto operator<=>(const GroupingHash&, const GroupingHash&) = default;
};
std::string_view raw_bytes(const GroupingHash& hash);
std::string render_hash(const GroupingHash& hash);  // 32 lowercase hex digits

// Never empty; the first is the one that counts, further ones also find the issue.
//   1. the client's fingerprint, in which "{{ default }}" stands for what follows and
//      "{{ error.type }}", "{{ transaction }}" … for the event's own
//   2. the chained exceptions: type and in-app frames (all frames when none is in-app); without any
//      frame the type and the parametrised value
//   3. the stack of the event or of its crashed thread
//   4. a security report's directive and blocked origin
//   5. the parametrised message
std::vector<GroupingHash> hashes_of(const Event& event);

GroupingHash md5_of(std::string_view bytes);

}  // namespace picket::digest

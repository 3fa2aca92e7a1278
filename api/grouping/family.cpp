#include "api/grouping/family.h"

#include <algorithm>
#include <array>

namespace picket::grouping {

Family family_of(std::string_view platform) {
  constexpr std::array<std::string_view, 5> native = {"native", "cocoa", "c", "objc", "swift"};
  if (std::ranges::find(native, platform) != native.end()) return Family::native;
  if (platform == "javascript" || platform == "node") return Family::javascript;
  return Family::other;
}

}  // namespace picket::grouping

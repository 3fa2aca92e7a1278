// What can be read out of a release's version: "package@1.2.3-rc.1+build".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::rest {

struct ReleaseVersion {
  std::string_view package;  // "" without one
  std::string_view raw;      // what follows the package
  bool numbered = false;     // has the numbers below
  std::array<std::uint32_t, 4> numbers{};
  unsigned components = 0;      // how many of them were given, 1 … 4
  std::string_view pre;         // "rc.1"
  std::string_view build;       // "build"
  std::string_view build_hash;  // a commit's hash, as the version or as its build
};

// Not empty, no control characters, none of the names that paths and "latest" take.
bool is_release_version(std::string_view version);

// REQUIRES: `version` outlives the result.
ReleaseVersion parse_release_version(std::string_view version);

// For people: "1.2.3-rc.1 (build)", or the first twelve digits of a hash, or the version itself.
std::string describe(const ReleaseVersion& version);

}  // namespace picket::rest

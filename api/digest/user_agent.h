// Browser and operating system of a User-Agent header, for the SDKs that send nothing better. Reads
// the handful of families that Sentry shows most; anything else stays unknown.
#pragma once

#include <string_view>

namespace picket::digest {

// Views into the header or constants; "" for unknown. Versions have at most three parts.
struct UserAgent {
  std::string_view browser;
  std::string_view browser_version;
  std::string_view os;
  std::string_view os_version;
};
UserAgent read_user_agent(std::string_view header);

}  // namespace picket::digest

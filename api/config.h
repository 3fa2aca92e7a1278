// The [api] section of the configuration.
#pragma once

#include "buffer/result.h"
#include "buffer/settings.h"

#include <string>
#include <string_view>

namespace picket::rest {

struct ApiConfig {
  // Under which address SDKs, people and API clients reach this Picket; part of DSNs and of the
  // links that answers carry. No path, no trailing slash. Behind a proxy: the proxy's address.
  // Empty: where the server listens.
  std::string public_url;
};

void bind(Settings& settings, ApiConfig& config);

// The URL without trailing slashes; Fault::malformed when it is no http or https address.
Result<std::string> parse_public_url(std::string_view text);

}  // namespace picket::rest

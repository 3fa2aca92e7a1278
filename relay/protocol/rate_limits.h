// X-Sentry-Rate-Limits and Retry-After, in both directions.
//   60:error;transaction:key:quota, 2700::organization
//   retry_after:categories:scope:reason:namespaces, …
// https://develop.sentry.dev/sdk/foundations/transport/rate-limiting/
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/data_category.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::relay {

struct RateLimit {
  std::vector<DataCategory> categories;  // empty: all (see `all`)
  bool all = true;                       // false when only unknown categories were named
  std::string scope;                     // organization, project, key
  std::string reason;
  Time until{};
};

// Tolerant: what does not parse is left out. Seconds may be fractions and are rounded up.
std::vector<RateLimit> parse_rate_limits(std::string_view header, Time now);
// What is over at `now`, or names no category that we know, is left out.
std::string render_rate_limits(const std::vector<RateLimit>& limits, Time now);
bool covers(const RateLimit& limit, DataCategory category);

// Seconds or an HTTP date; nothing when neither.
std::optional<Duration> parse_retry_after(std::string_view header, Time now);

}  // namespace picket::relay

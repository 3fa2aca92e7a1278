// Request headers. The input's lines are: X-Sentry-Auth, Authorization, the query, the key of the
// path, the envelope's DSN; and each line is read as every other header too.

#include "fuzz/invariant.h"
#include "relay/protocol/auth.h"
#include "relay/protocol/content_encoding.h"
#include "relay/protocol/rate_limits.h"

#include <algorithm>
#include <array>

namespace picket::relay {

using fuzz::check;

namespace {

void check_auth(const AuthSources& sources) {
  const auto found = find_auth(sources);
  if (const auto* const error = std::get_if<AuthError>(&found)) {
    check(error->status() == 400 || error->status() == 401, "a refusal is 400 or 401");
    check(!error->detail.empty(), "a refusal has words");
    return;
  }
  const auto& auth = std::get<Auth>(found);
  check(static_cast<bool>(parse_project_key(auth.key.hex)), "a key that is found is a key");
  check(auth.version >= 0 && auth.version <= newest_protocol_version,
        "the version is one we speak");
  check(auth.client.size() <= 128, "the client's name is bounded");
  check(std::all_of(auth.client.begin(), auth.client.end(),
                    [](char c) { return c >= ' ' && c < '\x7f' && c != ','; }),
        "the client's name cannot extend a header");
}

void check_limits(std::string_view header) {
  const auto now = time_from_ms(1'600'000'000'000);
  const auto limits = parse_rate_limits(header, now);
  for (const auto& limit : limits) {
    check(limit.until >= now && limit.until <= now + std::chrono::days(366),
          "a limit's end is bounded");
    check(!limit.all || limit.categories.empty(), "a limit names categories or holds all");
  }
  const auto rendered = render_rate_limits(limits, now);
  check(rendered.find_first_of("\r\n") == std::string::npos, "a rendered limit is one line");
  check(render_rate_limits(parse_rate_limits(rendered, now), now) == rendered,
        "rendered limits are read back");

  const auto wait = parse_retry_after(header, now);
  check(!wait || (wait->count() >= 0 && *wait <= std::chrono::days(366)), "a wait is bounded");
  const auto codings = parse_content_encoding(header);
  check(!codings || codings->size() <= 4, "a chain of codings is bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  auto rest = fuzz::as_text(bytes, size);
  std::array<std::string_view, 5> lines;
  for (auto& line : lines) {
    const auto end = std::min(rest.find('\n'), rest.size());
    line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    check_limits(line);
  }
  AuthSources sources;
  sources.x_sentry_auth = lines[0];
  sources.authorization = lines[1];
  sources.query = lines[2];
  sources.path_key = lines[3];
  sources.envelope_dsn = lines[4];
  check_auth(sources);
  return 0;
}

}  // namespace picket::relay

// Who a request claims to be: one public key, given in one of the places that SDKs use.
// https://develop.sentry.dev/sdk/foundations/transport/authentication/
//
//   X-Sentry-Auth: Sentry sentry_key=…, sentry_version=7, sentry_client=name/version
//   Authorization: Sentry …            the same list
//   Authorization: Basic …             the user is the key
//   ?sentry_key=…&sentry_version=7&sentry_client=…
//   {"dsn": "https://key@host/1"}      of the envelope's header, when none of the others is there
#pragma once

#include "relay/protocol/dsn.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace picket::relay {

constexpr int newest_protocol_version = 7;

struct Auth {
  ProjectKey key;
  int version = newest_protocol_version;
  std::string client;     // "" when not given; visible ASCII without ',', at most 128 characters
  ProjectId project = 0;  // of the DSN that gave the key, else 0
};

// Each "" when absent. Of `authorization` only the schemes Sentry and Basic are ours.
struct AuthSources {
  std::string_view x_sentry_auth;  // the header's value
  std::string_view authorization;  // the header's value
  std::string_view query;          // after '?', undecoded
  std::string_view path_key;       // of /unreal/{key}/ and /cron/{slug}/{key}/
  std::string_view envelope_dsn;   // EnvelopeHeader::dsn
};

enum class AuthFault : std::uint8_t {
  missing,      // 401
  multiple,     // 401: more than one source, even when they agree
  malformed,    // 401: an auth header without a key
  bad_version,  // 400
  bad_key,      // 400: the key or the DSN does not parse
};

struct AuthError {
  AuthFault fault = AuthFault::missing;
  std::string detail;  // the words of the answer

  unsigned status() const;  // 400 or 401
};

std::variant<Auth, AuthError> find_auth(const AuthSources& sources);

// 32 hex digits, then perhaps flags after dots (`.no-cache`), which mean nothing here.
Result<ProjectKey> parse_auth_key(std::string_view text);

}  // namespace picket::relay

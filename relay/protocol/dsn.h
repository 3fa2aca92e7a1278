// DSN, project id and public key:
// https://develop.sentry.dev/sdk/foundations/transport/authentication/
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::relay {

using ProjectId = std::uint64_t;  // 1 … 2^63-1; 0 is "none"

Result<ProjectId> parse_project_id(std::string_view text);

// A value that exists is valid: parse_project_key() and project_key_from_raw() are the only makers.
struct ProjectKey {
  std::string hex;  // 32 lowercase hex digits
  friend bool operator==(const ProjectKey&, const ProjectKey&) = default;
};
Result<ProjectKey> parse_project_key(std::string_view text);
Result<ProjectKey> project_key_from_raw(std::string_view bytes);  // 16 bytes
std::string raw_bytes(const ProjectKey& key);                     // 16 bytes

// {scheme}://{key}[:{secret}]@{host}[:{port}]{path}/{project}
struct Dsn {
  std::string scheme;  // http or https
  ProjectKey key;
  std::string host;        // with brackets when IPv6
  std::uint16_t port = 0;  // 0: the scheme's own
  std::string path;        // "" or "/prefix", without trailing slash
  ProjectId project = 0;
};
Result<Dsn> parse_dsn(std::string_view text);
std::string render_dsn(const Dsn& dsn);
std::string render_origin(const Dsn& dsn);  // scheme://host[:port]path

}  // namespace picket::relay

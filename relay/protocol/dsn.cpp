#include "relay/protocol/dsn.h"

#include "relay/protocol/hex.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace picket::relay {
namespace {

constexpr std::size_t longest_dsn = 2048;

Error malformed(std::string why) {
  return Error{Fault::malformed, std::move(why)};
}

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), to_lower);
  return lowered;
}

bool is_host_character(char c) {
  const char lowered = to_lower(c);
  return (lowered >= 'a' && lowered <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_';
}

bool is_address_character(char c) {
  return hex_digit(c).has_value() || c == ':' || c == '.';
}

// Visible ASCII without the characters that end or quote a path.
bool is_path_character(char c) {
  return c > ' ' && c < '\x7f' &&
         std::string_view("\"<>\\^`{|}?#@").find(c) == std::string_view::npos;
}

bool all_of(std::string_view text, bool (*matches)(char)) {
  return std::all_of(text.begin(), text.end(), matches);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end || port == 0) {
    return malformed("DSN has a port that is not a number from 1 to 65535");
  }
  return port;
}

// host[:port] or [address][:port]
Result<void> read_authority(Dsn& dsn, std::string_view text) {
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return malformed("DSN has an IPv6 host without ']'");
    const auto address = text.substr(1, bracket - 1);
    if (address.find(':') == std::string_view::npos || !all_of(address, is_address_character)) {
      return malformed("DSN has brackets around a host that is not an IPv6 address");
    }
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    if (host_end == 0) return malformed("DSN has no host");
    if (!all_of(text.substr(0, host_end), is_host_character)) {
      return malformed("DSN has a host with a character that is not allowed there");
    }
  }
  dsn.host = lower(text.substr(0, host_end));
  const auto rest = text.substr(host_end);
  if (rest.empty()) return {};
  if (rest.front() != ':') return malformed("DSN has unexpected characters after the host");
  const auto port = parse_port(rest.substr(1));
  if (!port) return port.error();
  dsn.port = *port;
  return {};
}

// /prefix/…/project[/]
Result<void> read_path(Dsn& dsn, std::string_view text) {
  if (text.ends_with('/')) text.remove_suffix(1);
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos) return malformed("DSN has no project id");
  const auto project = parse_project_id(text.substr(slash + 1));
  if (!project) return malformed("DSN: " + project.error().detail);
  auto path = text.substr(0, slash);
  while (path.ends_with('/'))
    path.remove_suffix(1);
  if (!all_of(path, is_path_character)) {
    return malformed("DSN has a path with a character that is not allowed there");
  }
  dsn.path = path;
  dsn.project = *project;
  return {};
}

}  // namespace

Result<ProjectId> parse_project_id(std::string_view text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return malformed("project id is not a number");
  ProjectId id = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool fits = parsed.ec == std::errc() &&
                    id <= static_cast<ProjectId>(std::numeric_limits<std::int64_t>::max());
  if (!fits) return malformed("project id is too large");
  if (text.front() == '0') return malformed("project id starts with 0");
  return id;
}

Result<ProjectKey> parse_project_key(std::string_view text) {
  if (text.size() != 32 || !all_of(text, [](char c) { return hex_digit(c).has_value(); })) {
    return malformed("public key is not 32 hex digits");
  }
  return ProjectKey{lower(text)};
}

Result<ProjectKey> project_key_from_raw(std::string_view bytes) {
  if (bytes.size() != 16) return malformed("raw public key is not 16 bytes");
  return ProjectKey{render_hex(bytes)};
}

std::string raw_bytes(const ProjectKey& key) {
  std::string bytes;
  bytes.reserve(16);
  for (std::size_t i = 0; i + 1 < key.hex.size(); i += 2) {
    bytes += static_cast<char>(hex_digit(key.hex[i]).value_or(0) << 4 |
                               hex_digit(key.hex[i + 1]).value_or(0));
  }
  return bytes;
}

Result<Dsn> parse_dsn(std::string_view text) {
  if (text.size() > longest_dsn) return malformed("DSN is longer than 2048 characters");
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return malformed("DSN has no scheme: expected http:// or https://");
  Dsn dsn;
  dsn.scheme = lower(text.substr(0, scheme_end));
  if (dsn.scheme != "http" && dsn.scheme != "https")
    return malformed("DSN has a scheme other than http and https");

  auto rest = text.substr(scheme_end + 3);
  // Options of SDKs long gone, such as ?verify_ssl=0.
  rest = rest.substr(0, rest.find('?'));
  const auto authority = rest.substr(0, rest.find('/'));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return malformed("DSN has no public key: expected key@host");
  const auto user = authority.substr(0, at);
  auto key = parse_project_key(user.substr(0, user.find(':')));
  if (!key) return malformed("DSN: " + key.error().detail);
  dsn.key = *std::move(key);
  if (auto read = read_authority(dsn, authority.substr(at + 1)); !read) return read.error();
  if (auto read = read_path(dsn, rest.substr(authority.size())); !read) return read.error();
  return dsn;
}

std::string render_dsn(const Dsn& dsn) {
  auto text = dsn.scheme + "://" + dsn.key.hex + '@' + dsn.host;
  if (dsn.port != 0) text += ':' + std::to_string(dsn.port);
  return text + dsn.path + '/' + std::to_string(dsn.project);
}

std::string render_origin(const Dsn& dsn) {
  auto text = dsn.scheme + "://" + dsn.host;
  if (dsn.port != 0) text += ':' + std::to_string(dsn.port);
  return text + dsn.path;
}

}  // namespace picket::relay

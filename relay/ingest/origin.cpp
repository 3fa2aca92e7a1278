#include "relay/ingest/origin.h"

#include <algorithm>
#include <cstddef>

namespace picket::ingest {
namespace {

std::string lower(std::string_view text) {
  std::string lowered(text.substr(0, 512));
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lowered;
}

bool is_web(std::string_view address) {
  const auto begins = lower(address.substr(0, 8));
  return begins.starts_with("http://") || begins.starts_with("https://");
}

struct Parts {
  std::string_view scheme;
  std::string_view host;
  std::string_view port;
};

// REQUIRES: in lower case.
Parts split(std::string_view address) {
  Parts parts;
  if (const auto scheme = address.find("://"); scheme != std::string_view::npos) {
    parts.scheme = address.substr(0, scheme);
    address.remove_prefix(scheme + 3);
  }
  address = address.substr(0, address.find_first_of("/?#"));
  if (const auto user = address.rfind('@'); user != std::string_view::npos)
    address.remove_prefix(user + 1);
  const auto colon = address.starts_with('[') ? address.find(':', std::min(address.find(']'), address.size()))
                                              : address.rfind(':');
  parts.host = address.substr(0, colon);
  if (colon != std::string_view::npos) parts.port = address.substr(colon + 1);
  return parts;
}

bool covers(std::string_view allowed, const Parts& origin) {
  if (allowed == "*") return true;
  const auto wanted = split(allowed);
  if (!wanted.scheme.empty() && wanted.scheme != origin.scheme) return false;
  if (!wanted.port.empty() && wanted.port != "*" && wanted.port != origin.port) return false;
  if (wanted.host == "*" || wanted.host == origin.host) return true;
  if (!wanted.host.starts_with("*.")) return false;
  return origin.host == wanted.host.substr(2) || origin.host.ends_with(wanted.host.substr(1));
}

}  // namespace

std::string_view find_origin(const http::RequestHead& head) {
  for (const std::string_view name : {"Origin", "Referer"}) {
    const auto value = head.headers.find(name);
    if (!value.empty()) return is_web(value) ? value : std::string_view();
  }
  return {};
}

bool is_allowed_origin(const std::vector<std::string>& allowed, std::string_view origin) {
  if (allowed.empty() || origin.empty()) return true;
  const auto lowered = lower(origin);
  const auto parts = split(lowered);
  return std::any_of(allowed.begin(), allowed.end(), [&parts](const std::string& one) {
    return covers(lower(one), parts);
  });
}

}  // namespace picket::ingest

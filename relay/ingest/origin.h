// Allowed origins: from which web pages a project takes data (allowedDomains).
//
//   *                     from everywhere
//   example.com           that host, any scheme and port       example.com:8000   that port only
//   *.example.com         the host and everything below it
//   https://example.com   that scheme only
//
// Only pages have origins: a request without one, or with one that is not http(s), always passes.
#pragma once

#include "relay/http/message.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// The Origin header, else the Referer; "" when neither is an http(s) address.
std::string_view find_origin(const http::RequestHead& head);

// An empty list allows everything, as "*" does.
bool is_allowed_origin(const std::vector<std::string>& allowed, std::string_view origin);

}  // namespace picket::ingest

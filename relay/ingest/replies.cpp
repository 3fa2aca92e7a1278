#include "relay/ingest/replies.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace picket::ingest {
namespace {

// Details come from parsers and may quote hostile bytes: a header takes printable ASCII only.
std::string header_text(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string kept(text.substr(0, longest));
  for (char& c : kept) {
    if (c < ' ' || c > '~') c = '?';
  }
  return kept;
}

}  // namespace

std::string quote_json(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      quoted += "\\u00";
      quoted += digits[byte >> 4];
      quoted += digits[byte & 0xf];
    } else {
      quoted += byte < 0x7f ? c : '?';
    }
  }
  quoted += '"';
  return quoted;
}

void add_cors(http::Response& response) {
  response.headers.add("Access-Control-Allow-Origin", "*");
  response.headers.add("Access-Control-Expose-Headers",
                       "x-sentry-error, x-sentry-rate-limits, retry-after");
  response.headers.add("Cross-Origin-Resource-Policy", "cross-origin");
}

http::Response accepted_reply(std::string_view event_id) {
  http::Response response;
  if (event_id.empty()) {
    response.body = "{}";
  } else {
    response.body.reserve(event_id.size() + 9);
    response.body.append(R"({"id":")").append(event_id).append(R"("})");
  }
  add_cors(response);
  return response;
}

http::Response empty_reply(unsigned status) {
  http::Response response;
  response.status = status;
  add_cors(response);
  return response;
}

http::Response script_reply(unsigned status, std::string text) {
  http::Response response;
  response.status = status;
  response.body = std::move(text);
  response.content_type = "text/javascript; charset=utf-8";
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("X-Content-Type-Options", "nosniff");
  add_cors(response);
  return response;
}

http::Response pixel_reply() {
  // GIF89a: screen 1×1 of two colours, the first transparent, one image block.
  constexpr char gif[] =
      "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,"
      "\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
  http::Response response;
  response.body.assign(gif, sizeof gif - 1);
  response.content_type = "image/gif";
  response.headers.add("Cache-Control", "no-store, no-cache, must-revalidate, private");
  add_cors(response);
  return response;
}

http::Response error_reply(unsigned status, std::string_view detail, std::string_view cause) {
  http::Response response;
  response.status = status;
  response.body = R"({"detail":)" + quote_json(detail);
  auto header = header_text(detail);
  if (!cause.empty()) {
    response.body += R"(,"causes":[)" + quote_json(cause) + ']';
    header += ": " + header_text(cause);
  }
  response.body += '}';
  response.headers.add("X-Sentry-Error", std::move(header));
  add_cors(response);
  return response;
}

http::Response preflight_reply() {
  http::Response response;
  add_cors(response);
  response.headers.add("Access-Control-Allow-Methods", "POST");
  response.headers.add("Access-Control-Allow-Headers",
                       "x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, "
                       "content-type, authentication, authorization, content-encoding, "
                       "transfer-encoding");
  response.headers.add("Access-Control-Max-Age", "3600");
  return response;
}

http::Response not_allowed_reply(std::string_view allowed) {
  auto response = error_reply(405, "method not allowed");
  response.headers.add("Allow", std::string(allowed));
  return response;
}

http::Response full_reply() {
  auto response = error_reply(429, "rate limited", "the disk budget is used up");
  response.headers.add("Retry-After", "60");
  response.headers.add("X-Sentry-Rate-Limits", "60::organization:disk_full");
  return response;
}

void add_rate_limits(http::Response& response,
                     const std::vector<relay::RateLimit>& limits,
                     Time now) {
  if (limits.empty()) return;
  auto header = relay::render_rate_limits(limits, now);
  if (!header.empty()) response.headers.add("X-Sentry-Rate-Limits", std::move(header));
}

http::Response limited_reply(const std::vector<relay::RateLimit>& limits, Time now) {
  auto response = error_reply(429, "event submission rejected due to rate limits",
                              limits.empty() ? std::string_view() : limits.front().reason);
  Time until = now + std::chrono::seconds(1);
  for (const auto& limit : limits)
    until = std::max(until, limit.until);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(until - now).count();
  response.headers.add("Retry-After", std::to_string(seconds));
  add_rate_limits(response, limits, now);
  return response;
}

http::Response health_reply(bool healthy) {
  http::Response response;
  response.status = healthy ? 200 : 503;
  response.body = healthy ? R"({"is_healthy":true})" : R"({"is_healthy":false})";
  add_cors(response);
  return response;
}

}  // namespace picket::ingest

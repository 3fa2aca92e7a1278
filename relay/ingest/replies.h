// The answers of ingest, in Sentry's shapes.
//
//   {"detail": "<what>", "causes": ["<why>", …]}     X-Sentry-Error: <what>: <why>
#pragma once

#include "buffer/clock.h"
#include "relay/http/message.h"
#include "relay/protocol/rate_limits.h"

#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// What a browser needs to read the answer and its rate limits; on every answer of ingest.
void add_cors(http::Response& response);

http::Response accepted_reply(std::string_view event_id);  // 32 hex digits, "" for {}
http::Response empty_reply(unsigned status);
http::Response script_reply(unsigned status, std::string text);  // JavaScript, not to be kept
http::Response pixel_reply();  // for <img> tags: a transparent GIF that is not kept
http::Response error_reply(unsigned status, std::string_view detail, std::string_view cause = {});
http::Response preflight_reply();
http::Response not_allowed_reply(std::string_view allowed);  // "POST, OPTIONS"
// The disk budget is used up: tells SDKs to keep silent for a minute.
http::Response full_reply();
// 429 with the limits, and Retry-After from the longest of them.
http::Response limited_reply(const std::vector<relay::RateLimit>& limits, Time now);
// Tells an answer's reader which limits are in force; nothing is added when none is.
void add_rate_limits(http::Response& response,
                     const std::vector<relay::RateLimit>& limits,
                     Time now);
http::Response health_reply(bool healthy);

// JSON string contents. Control characters are escaped; what is not UTF-8 is replaced.
std::string quote_json(std::string_view text);

}  // namespace picket::ingest

#include "upstream/api_answer.h"

#include "relay/protocol/rate_limits.h"
#include "upstream/answer.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace picket::upstream {
namespace {

bool holds_json(const ApiAnswer& answer) {
  const auto start = answer.body.find_first_not_of(" \t\r\n");
  if (start == std::string::npos || answer.content_type.find("html") != std::string::npos) return false;
  return answer.body[start] == '{' || answer.body[start] == '[';
}

std::string said(const ApiAnswer& answer) {
  const auto words = "answer " + std::to_string(answer.status);
  return holds_json(answer) ? words + ": " + printable(answer.body, 200) : words;
}

}  // namespace

ApiJudgement judge(const ApiAnswer& answer) {
  if (!answer.failure.empty()) return {ApiVerdict::later, printable(answer.failure, 300)};
  const unsigned status = answer.status;
  if (status >= 200 && status < 300) {
    if (holds_json(answer)) return {ApiVerdict::done, {}};
    return {ApiVerdict::later, said(answer) + " without JSON (a captive portal?)"};
  }
  if (status >= 300 && status < 400) {
    return {ApiVerdict::later, "answer " + std::to_string(status) + " redirects" +
                                   (answer.location.empty() ? "" : " to " + printable(answer.location, 200)) +
                                   "; redirects are not followed: configure the final api_url"};
  }
  switch (status) {
    case 401: case 402: case 403: case 405: case 407: case 451: return {ApiVerdict::held, said(answer)};
    case 404: return {ApiVerdict::gone, said(answer)};
    case 408: case 409: case 421: case 425: return {ApiVerdict::later, said(answer)};
    case 429: return {ApiVerdict::limited, said(answer)};
    default: break;
  }
  return {status >= 400 && status < 500 ? ApiVerdict::refused : ApiVerdict::later, said(answer)};
}

Duration pause_asked(const ApiAnswer& answer, Time now) {
  constexpr Duration least = std::chrono::seconds(1);
  constexpr Duration most = std::chrono::hours(1);
  if (const auto after = relay::parse_retry_after(answer.retry_after, now)) return std::clamp<Duration>(*after, least, most);
  std::int64_t reset_s = 0;
  const auto& text = answer.limit_reset;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), reset_s);
  if (text.empty() || read.ec != std::errc()) return std::chrono::minutes(1);
  const auto left_s = std::clamp<std::int64_t>(reset_s, 0, std::int64_t{1} << 40) - to_ms(now) / 1'000;
  return std::clamp<Duration>(std::chrono::seconds(std::clamp<std::int64_t>(left_s, 0, 3'600)), least, most);
}

}  // namespace picket::upstream

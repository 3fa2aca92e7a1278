#include "upstream/answer.h"

#include <algorithm>
#include <chrono>
#include <string_view>

namespace picket::upstream {
namespace {

// A captive portal answers 200 with its login page, or as RFC 8908 says to machines. Trackers answer with a JSON object, or nothing.
bool acknowledges(const Answer& answer) {
  if (answer.content_type.find("captive+json") != std::string::npos) return false;
  const auto start = answer.body.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return true;
  return answer.body[start] == '{' && answer.content_type.find("html") == std::string::npos;
}

std::string said(const Answer& answer) {
  std::string words = "answer " + std::to_string(answer.status);
  if (answer.body.empty() || answer.content_type.find("json") == std::string::npos) return words;
  return words + ": " + printable(answer.body, 200);
}

// Bytes of the UTF-8 sequence that `text` starts with; 0 when it is none, or cut short.
std::size_t sequence_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (bytes == 1) return 1;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return bytes;
}

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
  text = text.substr(0, longest);
  std::string kept;
  while (!text.empty()) {
    const std::size_t bytes = sequence_bytes(text);
    const bool control = static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7f;
    if (bytes == 0 || control) {
      kept += bytes == 0 ? '?' : ' ';
      text.remove_prefix(1);
      continue;
    }
    kept += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return kept;
}

Judgement judge(const Answer& answer) {
  if (!answer.failure.empty()) return {Verdict::retry, printable(answer.failure, 300)};
  const unsigned status = answer.status;
  if (status >= 200 && status < 300) {
    if (acknowledges(answer)) return {Verdict::delivered, {}};
    return {Verdict::retry, said(answer) + " is no acknowledgement (a captive portal?)", true};
  }
  if (status >= 300 && status < 400) {
    return {Verdict::retry, "answer " + std::to_string(status) + " redirects" +
                                (answer.location.empty() ? "" : " to " + printable(answer.location, 200)) +
                                "; redirects are not followed: configure the final address",
            true};
  }
  switch (status) {
    case 408: case 421: case 425: return {Verdict::retry, said(answer)};
    case 429: return {Verdict::wait, said(answer)};
    case 415: return {Verdict::recode, said(answer)};
    // Beyond 401, 403 and 404: payment, method, proxy and legal trouble would meet every envelope alike.
    case 401: case 402: case 403: case 404: case 405: case 407: case 451:
      return {Verdict::hold, said(answer)};
    default: break;
  }
  if (status >= 400 && status < 500) return {Verdict::refuse, said(answer)};
  return {Verdict::retry, said(answer)};
}

std::vector<relay::RateLimit> announced_limits(const Answer& answer, Time now) {
  if (!answer.failure.empty()) return {};
  if (!answer.rate_limits.empty()) return relay::parse_rate_limits(answer.rate_limits, now);
  if (answer.retry_after.empty() || answer.status >= 500) return {};
  const auto after = relay::parse_retry_after(answer.retry_after, now);
  if (!after || after->count() <= 0) return {};
  relay::RateLimit limit;
  limit.scope = "key";
  limit.until = now + std::min<Duration>(*after, std::chrono::hours(24));
  return {limit};
}

}  // namespace picket::upstream

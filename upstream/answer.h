// What an upstream's answer means. Pure: no sockets, no state.
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/rate_limits.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

struct Answer {
  std::string failure;  // of the network; empty when an answer arrived
  bool unreached = false;  // by that failure: there was no connection
  unsigned status = 0;
  std::string content_type;
  std::string retry_after;
  std::string rate_limits;  // X-Sentry-Rate-Limits, several joined by commas
  std::string location;
  std::string batch_offer;  // X-Picket-Batch
  std::string body;  // the first 1,000 bytes; of an answer to a batch, more
  std::chrono::microseconds took{0};        // from the request's first byte to the answer's last
  std::chrono::microseconds connecting{0};  // before that; 0: on a connection that was there
};

enum class Verdict {
  delivered,
  retry,   // the upstream cannot now: the same envelope again, later
  wait,    // 429: as retry, but the upstream lives and says how long
  recode,  // 415: in another coding
  hold,    // the destination's fault, not the envelope's: nothing more until that is mended
  refuse,  // this envelope, for ever
};

struct Judgement {
  Verdict verdict = Verdict::retry;
  std::string reason;  // for people; empty when delivered
  bool stranger = false;  // it was not the upstream that answered
};
Judgement judge(const Answer& answer);

// Text from outside as rows and logs can keep it: valid UTF-8 on one line, the rest replaced.
std::string printable(std::string_view text, std::size_t longest);

// What the answer announces: X-Sentry-Rate-Limits, else Retry-After as a limit on everything of the
// key. Nothing for a 5xx, whose Retry-After concerns the whole server.
std::vector<relay::RateLimit> announced_limits(const Answer& answer, Time now);

}  // namespace picket::upstream

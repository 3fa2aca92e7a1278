// What an answer of a destination's REST API means. Pure: no sockets, no state.
#pragma once

#include "buffer/clock.h"

#include <cstdint>
#include <string>

namespace picket::upstream {

struct ApiAnswer {
  std::string failure;  // of the network, or an answer past all bounds; empty when one arrived
  unsigned status = 0;
  std::string content_type;
  std::string retry_after;
  std::string limit_reset;  // X-Sentry-Rate-Limit-Reset: seconds since the epoch
  std::string location;
  std::string body;
};

enum class ApiVerdict : std::uint8_t {
  done,     // 2xx with JSON
  later,    // it cannot now: the same again after a pause
  limited,  // 429: as later, but it lives and says how long
  refused,  // 400 and the like: this request, for ever
  gone,     // 404: what the path names is not there
  held,     // 401, 403 …: somebody has to look
};

struct ApiJudgement {
  ApiVerdict verdict = ApiVerdict::later;
  std::string reason;  // for people; empty when done. Never has anything of the request in it
};
ApiJudgement judge(const ApiAnswer& answer);

// How long a 429 asks to wait: a second to an hour; a minute when it does not say.
Duration pause_asked(const ApiAnswer& answer, Time now);

}  // namespace picket::upstream

#include "relay/ingest/refusal.h"

namespace picket::ingest {

Refusal make_refusal(unsigned status,
                     std::string_view detail,
                     std::string_view cause,
                     std::string_view reason) {
  Refusal refusal;
  refusal.status = status;
  refusal.detail = detail;
  refusal.cause = cause;
  refusal.reason = reason;
  return refusal;
}

}  // namespace picket::ingest

// How a destination is doing, for status, metrics and `picket upstream ls`.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/schema/rows.pb.h"
#include "upstream/link_status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::upstream {

enum class DestinationState : std::uint8_t {
  running,
  retrying,  // not reached, or errs: tried again after a pause
  limited,   // the upstream's rate limits make some of it wait, or all
  held,      // 401, 403, 404 …: somebody has to look
  paused,    // by the operator
  draining,  // by the operator: sends what waits and takes nothing new
  drained,   // has sent all that waited then
  retired,   // by the operator: its cursor, quarantine and counters are forgotten
  closed,    // by its windows or byte caps: goes on by itself
};
std::string_view state_name(DestinationState state);

struct DestinationStatus {
  std::string name;
  DestinationState state = DestinationState::running;
  std::string reason;  // why it is held
  bool forward_only = false;
  buffer::Sequence cursor = 0;
  std::uint64_t depth = 0;  // records that still wait, deferred ones included
  std::optional<Time> oldest;  // when the oldest of them was received
  std::uint64_t deferred = 0;
  std::uint64_t handed = 0;    // waits in the order of its classes
  std::uint64_t in_flight = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t expired = 0;
  std::uint64_t not_routed = 0;
  std::uint64_t not_sampled = 0;
  std::uint64_t forwarded_bytes = 0;
  schema::Resend resend;  // the last one; id 0: none
  std::uint64_t failures = 0;  // attempts that failed, since start
  std::optional<Time> last_success;
  std::optional<Time> last_attempt;
  std::string last_error;  // empty once an attempt has succeeded
  Duration retry_in{0};
  bool registered = false;          // as a Relay
  std::uint64_t registrations = 0;  // that succeeded, since start
  std::uint64_t disabled_keys = 0;  // of which the upstream says that it takes nothing
  LinkStatus link;
};

// Of a destination as its row and cursor in the tables have it, for another process.
DestinationStatus stored_status(const buffer::Journal* journal,
                                std::string_view row,
                                buffer::Sequence cursor,
                                Time now);

// Fills in depth and oldest by looking at the journal.
void measure_backlog(const buffer::Journal& journal, DestinationStatus& status, buffer::Sequence oldest_behind);

// Prometheus text.
void render_metrics(const std::vector<DestinationStatus>& all, Time now, std::string& out);

}  // namespace picket::upstream

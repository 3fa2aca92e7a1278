// The pipeline: what a project's settings make of an envelope before it is stored.
//
//   (little room: shedding) ─► quotas (spike protection is one) ─► inbound filters ─► scrubbing ─► sampling
//
// Each step takes only the items it is about. What belongs to an event goes with it: its
// attachments, user report and profile, for the event's own reason; recordings with their replay. A
// client report always passes. An envelope from which nothing is taken and in which nothing changes
// keeps its bytes.
//
// THREADS  judge() from any thread.
#pragma once

#include "buffer/clock.h"
#include "buffer/spool.h"
#include "relay/ingest/quota_book.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/envelope.h"
#include "relay/protocol/rate_limits.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::ingest {

// What filters want to know of the request.
struct Circumstances {
  std::string_view client_address;
  std::string_view user_agent;
  std::span<const relay::DataCategory> shed = {};  // categories that there is no room for now
};

struct Judgement {
  std::vector<DroppedItems> dropped;
  std::vector<ItemCount> kept;
  std::optional<buffer::Bytes> envelope;  // what to store instead, when anything changed
  std::vector<relay::RateLimit> limits;  // in force for the sender
  std::optional<Error> no_room;  // for the changed envelope
  // Nothing is left, and that because of limits alone: 429.
  bool all_limited = false;
};

class Pipeline {
 public:
  explicit Pipeline(QuotaBook& book) : book_(book) {}

  Judgement judge(const Sender& sender,
                  const relay::Envelope& envelope,
                  const Circumstances& circumstances,
                  Time now,
                  const buffer::ByteRoom& room = {}) const;

 private:
  QuotaBook& book_;
};

}  // namespace picket::ingest

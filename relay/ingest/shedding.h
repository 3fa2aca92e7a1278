// What is given up first while the journal has little room: the second step of the ladder of "full".
// SDKs are told, on 200 as well, so that they do not even send it.
//
// THREADS  All members from any thread.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/result.h"
#include "relay/ingest/config.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/rate_limits.h"

#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace picket::ingest {

// Of the outcome and of the limit that SDKs are told.
constexpr std::string_view low_room_reason = "disk_low";

// Fault::malformed for a word that is no category.
Result<std::vector<relay::DataCategory>> parse_low_value(const IngestConfig& config);

class Shedding {
 public:
  // REQUIRES: parse_low_value(config) succeeds, and the journal outlives it.
  Shedding(const buffer::Journal& journal, const IngestConfig& config);

  // The categories that are refused now; none while there is room.
  std::span<const relay::DataCategory> refused() const;

 private:
  const buffer::Journal& journal_;
  const std::vector<relay::DataCategory> low_value_;
};

// Picks the records that hold nothing but such items and their attachments, as intake noted when it took them.
// REQUIRES: parse_low_value(config) succeeds.
std::function<bool(const buffer::StoredRecord&)> make_worth_least(const IngestConfig& config);

// What SDKs are told of it.
relay::RateLimit low_room_limit(std::span<const relay::DataCategory> refused, Time now);

}  // namespace picket::ingest

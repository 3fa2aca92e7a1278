// The ledger: what became of every item, from the door to each destination.
//
//   received = stored + filtered + rate limited + invalid + abuse
//   stored   = forwarded + waiting + quarantined + expired + not routed + not sampled      for each destination
//
// The two sides are counted apart: what is stored by the digest, what is forwarded by the forwarder,
// and what waits by looking at the journal. check_ledger() holds them against each other.
//
// Of what is stored the digest accepts what it can make something of; the rest (duplicates, payloads that
// are none, check-ins without a monitor) has its outcome in stats_v2 and stays in the journal.
//
// What the digest has not read yet is not in it. Nobody knows any more what was in records that the journal
// recycled before a destination got them; so of hours that are not wholly in the journal any more, what is
// left of `stored` is `expired` there. Of later hours nothing may be left.
//
// THREADS  From any thread; takes as long as the journal's waiting part is to read.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/tables.h"
#include "relay/protocol/data_category.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace picket::query {

// What lines are told apart by.
struct LedgerGrouping {
  bool hour = false;
  bool project = false;
  bool key = false;  // destinations do not count by key: their columns are empty then
  bool category = false;
};

struct LedgerRequest {
  std::vector<std::uint64_t> projects;  // ascending; empty: all, and what belongs to none
  std::int64_t from_ms = 0;
  std::int64_t to_ms = INT64_MAX;  // hours that begin before
  LedgerGrouping by;
};

struct Onward {
  std::uint64_t forwarded = 0;
  std::uint64_t waiting = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t expired = 0;
  std::uint64_t not_routed = 0;  // not for this destination, as it is configured
  std::uint64_t not_sampled = 0;
  std::uint64_t gone() const { return forwarded + quarantined + expired + not_routed + not_sampled; }
  std::uint64_t sum() const { return gone() + waiting; }
};

struct LedgerLine {
  std::int64_t hour_ms = 0;    // 0 when not grouped by it, as the rest
  std::uint64_t project = 0;
  std::string key;             // 16 raw bytes
  std::optional<relay::DataCategory> category;

  std::uint64_t stored = 0;
  std::uint64_t accepted = 0;  // of those stored
  std::uint64_t filtered = 0;
  std::uint64_t rate_limited = 0;
  std::uint64_t invalid = 0;
  std::uint64_t abuse = 0;
  std::uint64_t client_discarded = 0;  // never reached us: told by the SDKs
  std::map<std::string, Onward> destinations;

  std::uint64_t dropped() const { return filtered + rate_limited + invalid + abuse; }
  std::uint64_t received() const { return stored + dropped(); }
  auto order() const { return std::tie(hour_ms, project, key, category); }
};

struct LedgerReport {
  std::vector<LedgerLine> lines;  // ascending by hour, project, key, category
  // More waits than was looked at: `waiting` is then what is left of `stored`.
  bool waiting_is_rest = false;
  std::uint64_t undigested = 0;  // records behind the digest
};

LedgerReport collect_ledger(const buffer::Reader& tables, const buffer::Journal& journal, const LedgerRequest& request);

// One sentence for each sum that does not come out; empty when all is well.
std::vector<std::string> check_ledger(const LedgerReport& report);

}  // namespace picket::query

// What destinations that ask for it (`pass_limits`) have been told not to send: passed on to SDKs with
// the answers to what is taken in all the same. State in the tables, written by the forwarder.
//
// THREADS  All members from any thread.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "relay/protocol/dsn.h"
#include "relay/protocol/rate_limits.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace picket::ingest {

class UpstreamLimits {
 public:
  explicit UpstreamLimits(const buffer::Tables& tables) : tables_(tables) {}

  // Looks at the tables; meant to be called a few times a second.
  void refresh();
  // Those in force for senders to `project`.
  std::vector<relay::RateLimit> of(relay::ProjectId project, Time now) const;

 private:
  using ByProject = std::unordered_map<relay::ProjectId, std::vector<relay::RateLimit>>;  // 0: all

  const buffer::Tables& tables_;
  std::mutex refreshing_;  // one refresh at a time, so that the last one read is kept
  std::atomic<bool> any_{false};  // spares every envelope the mutex where nothing is passed on
  mutable std::mutex mutex_;  // held for the copy of a pointer only
  std::shared_ptr<const ByProject> limits_;  // guarded by mutex_; none when there are none
};

}  // namespace picket::ingest

// The quota book: what came in under each quota, and which limits are in force because of that.
//
// Bounded: a counter exists only for a quota that is configured and an organization, project or key
// that exists, and goes when its window has passed without traffic.
//
// THREADS  All members from any thread.
#pragma once

#include "buffer/clock.h"
#include "relay/filter/quota.h"
#include "relay/ingest/refusal.h"
#include "relay/protocol/rate_limits.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace picket::ingest {

// One of an item's categories and how much of it the item is: 1 for an event, bytes for attachments.
struct Asked {
  relay::DataCategory category = relay::DataCategory::unknown;
  std::uint64_t quantity = 0;
};

class QuotaBook {
 public:
  // Counts an item that is all of `asked` under every quota that covers any of it; or, when one of
  // them has no room, counts nothing and says which (the one that lasts longest). A quota of all
  // categories counts items; another the first of `asked` that it covers.
  // REQUIRES: the sender's settings are there.
  std::optional<relay::RateLimit> admit(const Sender& sender,
                                        std::span<const Asked> asked,
                                        Time now);

  // The limits that the sender should know of.
  std::vector<relay::RateLimit> active(const Sender& sender, Time now);

  // Counts one more match of a sampling rule: whether it is among the first `limit`.
  bool fill_reservoir(relay::ProjectId project, std::uint32_t rule, std::uint64_t limit);

  // Lets go of counters that count nothing any more.
  void forget_idle(Time now);

  std::size_t size() const;

 private:
  struct Counter {
    explicit Counter(std::chrono::seconds of) : window(of), length(of) {}
    filter::SlidingWindow window;
    std::chrono::seconds length;
    Time touched{};
    Time blocked_until{};
  };
  Counter& counter(const filter::Quota& quota, const Sender& sender, Time now);  // with mutex_ held

  static constexpr std::size_t most_reservoirs = 10'000;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Counter> counters_;                                // guarded by mutex_
  std::map<std::pair<relay::ProjectId, std::uint32_t>, std::uint64_t> reservoirs_;  // guarded by mutex_
};

}  // namespace picket::ingest

// The ledger: every item's fate as intake sees it. Shared by the requests and by their commits,
// which may end after the Ingest that began them.
//
// THREADS  All members from any thread.
#pragma once

#include "buffer/clock.h"
#include "relay/ingest/counters.h"
#include "relay/ingest/outcome_book.h"
#include "relay/ingest/refusal.h"

#include <atomic>
#include <optional>
#include <string_view>
#include <vector>

namespace picket::ingest {

struct Ledger {
  Counters counters;
  OutcomeBook book;
  std::atomic<bool> last_commit_failed{false};
  std::atomic<bool> outcomes_late{false};  // said once, not every second of a full disk

  void receive(const std::vector<ItemCount>& items);
  // Counts items that receive() has counted as dropped; on nobody's account in the metrics only.
  void drop(const std::optional<Sender>& sender,
            const std::vector<ItemCount>& items,
            relay::Outcome outcome,
            std::string_view reason,
            Time now);
  // Both at once, for items that are left out.
  void drop(const std::optional<Sender>& sender,
            const std::vector<DroppedItems>& dropped,
            Time now);
  // Both at once, for a request that was never understood or is refused.
  void refuse(const Refusal& refusal, Time now);
};

}  // namespace picket::ingest

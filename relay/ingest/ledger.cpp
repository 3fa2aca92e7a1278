#include "relay/ingest/ledger.h"

#include <string>

namespace picket::ingest {

void Ledger::receive(const std::vector<ItemCount>& items) {
  for (const auto& count : items)
    counters.count_received(count);
}

void Ledger::drop(const std::optional<Sender>& sender,
                  const std::vector<ItemCount>& items,
                  relay::Outcome outcome,
                  std::string_view reason,
                  Time now) {
  for (const auto& count : items) {
    counters.count_dropped(outcome, reason, count.quantity);
    if (!sender) continue;
    Drop drop;
    drop.project = sender->project;
    drop.key = relay::raw_bytes(sender->key);
    drop.category = count.category;
    drop.outcome = outcome;
    drop.reason = reason;
    drop.hour_ms = start_of_hour_ms(now);
    book.count(drop, count.quantity);
  }
}

void Ledger::refuse(const Refusal& refusal, Time now) {
  static const std::vector<ItemCount> not_understood{{relay::DataCategory::unknown, 1}};
  const auto& items = refusal.items.empty() ? not_understood : refusal.items;
  receive(items);
  drop(refusal.sender, items, refusal.outcome, refusal.reason, now);
  drop(refusal.sender, refusal.dropped, now);
}

void Ledger::drop(const std::optional<Sender>& sender,
                  const std::vector<DroppedItems>& dropped,
                  Time now) {
  for (const auto& [items, outcome, reason] : dropped) {
    counters.count_received(items);
    drop(sender, {items}, outcome, reason, now);
  }
}

}  // namespace picket::ingest

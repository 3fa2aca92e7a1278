// What ingest has done since start, for /metrics and for tests. Counts only; the durable account is
// the outcome book and the digest's.
//
// INVARIANT  received = acknowledged + dropped + waiting, in items, whenever nothing is under way.
// THREADS    All members from any thread; a reading is not one moment's.
#pragma once

#include "relay/ingest/refusal.h"
#include "relay/ingest/route.h"
#include "relay/protocol/data_category.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::ingest {

class Counters {
 public:
  void count_answer(Endpoint endpoint, unsigned status);
  void count_envelope() { add(envelopes_, 1); }
  void count_received(const ItemCount& items);
  void count_dropped(relay::Outcome outcome, std::string_view reason, std::uint64_t quantity);
  void begin_waiting(std::size_t bytes);
  void end_waiting(std::size_t bytes);
  void count_acknowledged(std::chrono::nanoseconds took);

  std::uint64_t answers(Endpoint endpoint, unsigned status) const;
  std::uint64_t envelopes() const { return envelopes_; }
  std::uint64_t received(relay::DataCategory category) const {
    return received_.at(static_cast<std::size_t>(category));
  }
  std::uint64_t received() const;
  std::uint64_t dropped(relay::Outcome outcome, std::string_view reason) const;
  std::uint64_t dropped() const;
  std::uint64_t acknowledged() const;  // records
  std::uint64_t waiting() const { return waiting_; }

  // Prometheus text exposition.
  void render(std::string& out) const;

 private:
  using Count = std::atomic<std::uint64_t>;
  static void add(Count& count, std::uint64_t quantity) {
    count.fetch_add(quantity, std::memory_order_relaxed);
  }
  void render_answers(std::string& out) const;
  void render_items(std::string& out) const;
  void render_latency(std::string& out) const;

  static constexpr std::size_t status_count = 18;
  static constexpr std::size_t bucket_count = 14;
  std::array<std::array<Count, status_count>, endpoint_count> answers_{};
  std::array<Count, 256> received_{};
  std::array<Count, bucket_count + 1> latency_{};  // the last: longer than every bucket
  Count latency_sum_ns_{0};
  Count envelopes_{0};
  Count waiting_{0};
  Count waiting_bytes_{0};
  mutable std::mutex mutex_;
  std::map<std::pair<relay::Outcome, std::string>, std::uint64_t> dropped_;  // guarded by mutex_
};

// Helpers for other rooms' lines: "# TYPE name kind\nname value\n".
void render_metric(std::string& out,
                   std::string_view name,
                   std::string_view kind,
                   std::uint64_t value);
void render_metric(std::string& out, std::string_view name, std::string_view kind, double value);

}  // namespace picket::ingest

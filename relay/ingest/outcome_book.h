// The outcome book: what intake dropped, summed up until it is written to the journal.
//
// INVARIANT  A count is in the book, or was handed out by take() and not put back: never both.
// INVARIANT  Bounded: at most `max_entries` sums. Past that, counts lose their key and reason,
// never
//            their number.
// THREADS    All members from any thread.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/data_category.h"
#include "relay/protocol/dsn.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace picket::ingest {

struct Drop {
  relay::ProjectId project = 0;
  std::string key;  // 16 raw bytes
  relay::DataCategory category = relay::DataCategory::unknown;
  relay::Outcome outcome = relay::Outcome::invalid;
  std::string reason;
  std::int64_t hour_ms = 0;
  friend auto operator<=>(const Drop&, const Drop&) = default;
};

std::int64_t start_of_hour_ms(Time time);

class OutcomeBook {
 public:
  static constexpr std::size_t max_entries = 16 * 1024;

  void count(const Drop& drop, std::uint64_t quantity);

  // Everything counted so far, leaving the book empty; nothing when there is nothing.
  std::optional<schema::OutcomeCounts> take();
  // What take() gave could not be written.
  void put_back(const schema::OutcomeCounts& counts);

 private:
  void add(const Drop& drop, std::uint64_t quantity);  // with mutex_ held

  std::mutex mutex_;
  std::map<Drop, std::uint64_t> sums_;  // guarded by mutex_
};

}  // namespace picket::ingest

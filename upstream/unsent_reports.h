// Client reports to an upstream about what it was deliberately not sent: by routing, sampling or age.
//
//   {"timestamp": …, "discarded_events": [{"reason": "sample_rate", "category": "transaction", "quantity": 9}]}
//
// One for each project and key at a time, at most one every `every`. What is still to be told is part
// of the destination's row, so that a restart forgets nothing; one whose answer was lost is told again.
// https://develop.sentry.dev/sdk/telemetry/client-reports/
//
// INVARIANT  At most `most_sums` sums are kept: past it new ones are not told (the ledger has them).
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "upstream/window.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace picket::upstream {

class UnsentReports {
 public:
  static constexpr std::size_t most_sums = 1'000;

  // `every`: how long sums are gathered; 0: nothing is told.
  explicit UnsentReports(Duration every) : every_(every) {}

  // What was left out of a record that is settled; all of one that expired.
  void add(const Settled& settled, Time now);

  struct Report {
    relay::ProjectId project = 0;  // the local one
    std::string key;               // 16 raw bytes, of the records
    std::string envelope;
  };
  // The next report, now under way; nothing when none is due or one is under way.
  std::optional<Report> start(Time now);
  // The one under way was taken, or refused for good: its sums need not be told again.
  void settle(Time now);
  // It goes again after a pause.
  void put_back(Time now);
  // When start() is worth a call; nothing when there is nothing to tell.
  std::optional<Time> next_look() const;

  // Deadlines drawn from a clock that was set back mean nothing any more.
  void on_clock_leap(Time now);

  void load(const schema::Destination& row, Time now);
  void store(schema::Destination& row) const;

 private:
  using Place = std::pair<relay::ProjectId, std::string>;       // project and key
  using Kind = std::pair<std::uint8_t, relay::DataCategory>;    // fate and category
  struct Pile {
    std::map<Kind, std::uint64_t> sums;
    Time due{};
  };
  void add(const Place& place, const Kind& kind, std::uint64_t quantity, Time now);

  Duration every_;
  std::map<Place, Pile> piles_;
  std::size_t sums_ = 0;  // of all piles
  std::optional<std::pair<Place, std::map<Kind, std::uint64_t>>> told_;  // by the report under way
};

}  // namespace picket::upstream

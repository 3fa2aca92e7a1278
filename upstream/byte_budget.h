// How many bytes may still be put on the wire in a day or in a month, counted across restarts.
//
// Before bytes leave they are granted in the tables, some more than needed at a time. A process that is
// killed finds as spent what it had been granted: it may have sent that.
//
// INVARIANT  What is spent is never more than what the tables say, whenever the process is killed; so a
//            period's cap holds whatever happens, but for what could not be foreseen of requests under
//            way (handshakes, answers, what TCP sends again).
// INVARIANT  A clock that is set back gives nothing anew.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/time_zone.h"

#include <cstdint>

namespace picket::upstream {

class ByteBudget {
 public:
  enum class Period : std::uint8_t { day, month };
  // `cap` in bytes, 0: none.
  ByteBudget(Period period, std::uint64_t cap, TimeZone zone) : kind_(period), cap_(cap), zone_(std::move(zone)) {}

  bool capped() const { return cap_ > 0; }
  std::uint64_t cap() const { return cap_; }
  // At most this was spent in the current period.
  std::uint64_t spent() const { return spent_; }

  // As store() gave them before.
  void load(std::int64_t period, std::uint64_t granted, Time now);
  // A new period may have begun.
  void roll(Time now);

  // `bytes` beside `under_way` ones that were admitted and are not spent yet. What is larger than a
  // whole cap may go when nothing was spent.
  bool fits(std::uint64_t bytes, std::uint64_t under_way) const;
  bool granted(std::uint64_t bytes, std::uint64_t under_way) const;
  // Nothing more fits that is worth a request.
  bool used_up(std::uint64_t under_way) const { return capped() && !fits(least_request_bytes, under_way); }
  Time next_period(Time now) const;

  void spend(std::uint64_t bytes) { spent_ += bytes; }
  // Whether store() should be called: too little is granted for what is wanted.
  bool wants_grant(std::uint64_t wanted_bytes) const;
  // What to write: the period and its grant. At the end (`last`) what was spent and no more.
  std::int64_t period() const { return period_; }
  std::uint64_t store(std::uint64_t wanted_bytes, bool last);
  void on_written();

 private:
  static constexpr std::uint64_t least_request_bytes = 1'024;
  std::uint64_t ahead() const;
  std::int64_t period_of(Time time) const;

  Period kind_;
  std::uint64_t cap_;
  TimeZone zone_;
  std::int64_t period_ = 0;
  std::uint64_t spent_ = 0;
  std::uint64_t granted_ = 0;  // durable
  std::uint64_t offered_ = 0;  // being written; 0: nothing
};

}  // namespace picket::upstream

// How many requests may be under way at once to one destination: as many as keep its link busy, and no more.
//
// A round is as long as a request takes that is begun in it. While its fastest answer took hardly longer than the fastest ever, nothing
// waits on the link for anything else: there may be more. When it took much longer, requests wait for each other: there may be fewer.
// A packet that is lost delays one request and not the fastest, so a link that loses is not taken for one that is full.
//
// INVARIANT  Never fewer than two, unless the operator says one; never more than the operator says. Where nothing is said, 64 to an
//            upstream near by, in proportion to the round trip up to 1,024 to one far away.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace picket::upstream {

constexpr std::uint64_t near_in_flight = 64;
// To an upstream far away, as far as the process may open so many files.
std::uint64_t far_in_flight();

class Flight {
 public:
  using Steady = std::chrono::steady_clock;
  using Micros = std::chrono::microseconds;

  // What the operator says; 0: nothing.
  explicit Flight(std::uint64_t configured);

  bool has_room(std::size_t under_way) const { return under_way < allowance(); }
  std::uint64_t allowance() const { return static_cast<std::uint64_t>(allowance_); }
  std::uint64_t near() const { return near_; }
  std::uint64_t far() const { return far_; }
  // More would have gone.
  void note_full() { full_ = true; }

  // A request begun at `began` was answered `response` after it left, and had to connect for `connect` (zero: it had not to).
  void on_answered(Steady::time_point began, Steady::time_point now, Micros response, Micros connect);
  // What was known of the link may hold no longer.
  void reset();

 private:
  double most() const;
  void end_round(Steady::time_point now);

  const std::uint64_t near_;
  const std::uint64_t far_;
  double allowance_;
  // The fastest answer, and the fastest connection, of this while and of the one before.
  Micros fastest_, fastest_before_;
  Micros connect_, connect_before_;
  Steady::time_point while_began_{};
  Steady::time_point round_began_{};
  Micros round_fastest_;
  bool full_ = false;  // in this round
};


}  // namespace picket::upstream

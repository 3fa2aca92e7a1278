// How many requests may be under way at once to one destination: as many as keep its link busy, and no more.
//
// A round is over when a part of the requests that were begun in it are answered; its quicker ones say how long an answer takes now. While
// that is hardly longer than in the best round, nothing waits for anything else, and each answer makes room for one more. When it is
// longer, requests wait for each other: there are no more, or fewer. When it stays longer with two, it is the way that is longer.
// Large bodies take longer by far beside each other before the link is full, so they may: twice as long as at best, and a second. What
// one takes at best is known of large and of small ones.
// A packet that is lost delays some of the requests and not the quicker ones, so a link that loses is not taken for one that is full.
// After an outage or a restart the measure is found anew; where connections and answers take as long as before, it is the same way, and a
// part of what that bore goes at once.
//
// INVARIANT  Never fewer than two, unless the operator says one; never more than the operator says. Where nothing is said, 64 to an
//            upstream near by, in proportion to the round trip up to 1,024 to one far away.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace picket::upstream {

constexpr std::uint64_t near_in_flight = 64;
// To an upstream far away, as far as the process may open so many files.
std::uint64_t far_in_flight();

class Flight {
 public:
  using Steady = std::chrono::steady_clock;
  using Micros = std::chrono::microseconds;

  // What a way bore, and how long its answers and connections took at best.
  struct Measure {
    double allowance = 0;  // 0: nothing is known
    Micros answer{0};
    Micros connect{0};
  };

  // What the operator says; 0: nothing.
  explicit Flight(std::uint64_t configured);

  bool has_room(std::size_t under_way) const { return under_way < allowance(); }
  std::uint64_t allowance() const { return static_cast<std::uint64_t>(allowance_); }
  std::uint64_t near() const { return near_; }
  std::uint64_t far() const { return far_; }
  // More would have gone.
  void note_full() { full_ = true; }

  struct Answered {
    Steady::time_point began;  // its request
    Steady::time_point now;
    Micros response{0};        // since the request began to leave
    Micros connect{0};         // before that; zero: on a connection that was there
    std::uint64_t bytes = 0;   // of the request's body
  };
  void on_answered(const Answered& answered);
  // What was found out of the link may hold no longer.
  void reset();
  // The way as it was measured last, and as a process before this one measured it.
  const Measure& known() const { return known_; }
  void recall(const Measure& known) { known_ = known; }

 private:
  struct Response {
    Micros took{0};
    bool large = false;  // of a large body
  };

  double most() const;
  bool knows_nothing() const;
  void end_round(Steady::time_point now);
  bool on_known_way(Micros best) const;

  const std::uint64_t near_;
  const std::uint64_t far_;
  double allowance_;
  double round_allowance_;      // when the round began: it doubles at most
  double growth_;               // with each answer
  std::array<Micros, 2> best_;  // round's answer: of small bodies, of large ones
  Micros connect_;              // the fastest connection
  Measure known_;
  Steady::time_point round_began_{};
  std::vector<Response> round_;
  unsigned rounds_with_least_ = 0;
  bool steep_ = true;  // the link was never full
  bool full_ = false;  // in this round
};

}  // namespace picket::upstream

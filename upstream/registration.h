// How a Relay comes to be known to its upstream, and stays so: a challenge is asked for and answered, each signed.
//
//        ┌──────────── every relay_register_every, or when signed requests are refused ───────────┐
//        ▼                                                                                        │
//   challenge ─► response ─► registered ─────────────────────────────────────────────────────────►┘
//        ▲           │
//        └─ later ◄──┴─► denied: a person has to look; asked again every hold_probe, unless it said "stop"
//
// INVARIANT  While it renews itself, and when that fails for want of a connection, it stays registered.
// INVARIANT  Refusals of signed requests lead to one registration, not to one each; when the first request after it
//            is refused as well, it is not for want of a registration.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/relay_identity.h"
#include "upstream/answer.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::upstream {

class Registration {
 public:
  using Steady = std::chrono::steady_clock;
  struct Pauses {
    Duration every;  // 0: never again, unless it is refused
    Duration retry_min;
    Duration retry_max;
    Duration hold_probe;
  };
  explicit Registration(Pauses pauses) : pauses_(pauses) {}

  bool registered() const { return registered_; }
  // Which one it is: greater with each.
  std::uint64_t generation() const { return generation_; }
  // Why the upstream does not take us, in words for people; empty when it does, or has not been asked.
  const std::string& denied() const { return denied_; }
  // Why the last attempt came to nothing that will do so by itself; empty after one that succeeded.
  const std::string& failure() const { return failure_; }

  // Until ask() has something to say; never: Duration::max().
  Duration due_in(Steady::time_point now) const;
  // Below the upstream's origin; the body is JSON and wants to be signed.
  struct Question {
    std::string path;
    std::string body;
  };
  Question ask(const relay::RelayIdentity& identity) const;
  void on_answered(const Answer& answer, Time time, Steady::time_point now);
  // There is nothing to ask with.
  void deny(std::string words, Steady::time_point now);

  // A request that was signed under `generation` was answered 401 or 403. True when that says nothing about the
  // request: it is to be sent again once registered() is true.
  bool doubt(std::uint64_t generation, std::string_view answer, Steady::time_point now);
  // A signed request was taken.
  void on_accepted() { doubted_ = false; }
  // The link is back: what failed is tried at once. Who was denied waits on.
  void hasten(Steady::time_point now);
  // The operator has mended it: at once, whatever was said before.
  void resume(Steady::time_point now);

 private:
  void fail(std::string words, Duration at_least, Steady::time_point now);

  Pauses pauses_;
  bool registered_ = false;
  bool doubted_ = false;  // it is registered because of a refusal, and nothing has been taken since
  std::uint64_t generation_ = 0;
  unsigned failures_ = 0;
  std::string token_;  // of the challenge that is to be answered; empty: none is
  std::string denied_;
  std::string failure_;
  Steady::time_point due_{};
};

// Whether an answer asks us never to come again.
bool says_stop(std::string_view answer);

}  // namespace picket::upstream

// What an upstream says of projects, by public key: whether it takes anything for them, and which project a key is of.
//
// The rest of a project config (filters, scrubbing, sampling, quotas) the upstream applies itself to what it gets, and
// this Picket has its own for what it keeps.
//
// INVARIANT  Nothing goes to a key of which nothing is known: an upstream may answer 200 to what it then drops, because
//            the project is disabled.
// INVARIANT  An old config serves until its successor is here, however long that takes; only one that nobody asked for
//            in the meantime is forgotten.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "relay/protocol/dsn.h"
#include "upstream/answer.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace picket::upstream {

class ProjectConfigs {
 public:
  using Steady = std::chrono::steady_clock;
  struct Pauses {
    Duration retry_min;
    Duration retry_max;
    Duration hold_probe;
  };
  explicit ProjectConfigs(Pauses pauses) : pauses_(pauses) {}

  struct Known {
    bool disabled = false;
    relay::ProjectId project = 0;  // over there; 0: it was not said
  };
  // Nothing when it has to be asked for first, which is then wanted; valid until the next call of anything else.
  const Known* look(const std::string& key, Steady::time_point now);
  // Whether what look() said nothing of is still not here.
  bool awaits(const std::string& key) const;

  // Until ask() has something to say; never: Duration::max().
  Duration due_in(Steady::time_point now) const;
  // JSON for projectconfigs/?version=3, of a part of the keys that are wanted.
  std::string ask();
  // False for 401 and 403: whoever asked was not who it said.
  bool on_answered(const Answer& answer, Time time, Steady::time_point now);
  // It was not answered.
  void give_up();

  std::size_t disabled() const;
  // Why the last query came to nothing; empty after one that was answered.
  const std::string& failure() const { return failure_; }
  // At once: the link is back, or the operator says so.
  void hasten(Steady::time_point now);

 private:
  struct Entry {
    Known known;
    std::string revision;
    bool there = false;    // `known` is what was said at `since`
    bool wanted = false;
    bool asked = false;    // by the query under way
    Steady::time_point since{};
    Steady::time_point looked_at{};
  };
  bool read(std::string_view answer, Steady::time_point now);
  void settle(Entry& entry, std::string_view config, Steady::time_point now);
  void fail(std::string words, Duration at_least, Steady::time_point now);
  void forget_unused(Steady::time_point now);

  const Pauses pauses_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t wanted_ = 0;
  unsigned failures_ = 0;
  std::string failure_;
  Steady::time_point due_{};
  Steady::time_point without_until_{};  // it has no project configs to give
};

}  // namespace picket::upstream

// Which origins take batches: they say so in their answers to single envelopes, and nobody else is
// ever sent one.
//
// INVARIANT  Origins are those of the configuration: a handful.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace picket::upstream {

class BatchOffers {
 public:
  using Steady = std::chrono::steady_clock;

  bool any() const { return takers_ > 0; }
  bool taken_by(const std::string& origin) const {
    const auto found = origins_.find(origin);
    return found != origins_.end() && found->second.takes;
  }
  // What a 2xx answer to a single envelope said.
  void note(const std::string& origin, std::string_view offer, Steady::time_point now);
  // It does not take them after all: what it says is not believed before then. True when it was thought to.
  bool refuse(const std::string& origin, Steady::time_point until);

 private:
  struct Origin {
    bool takes = false;
    Steady::time_point deaf_until{};
  };
  void set(Origin& origin, bool takes);

  std::map<std::string, Origin> origins_;
  std::size_t takers_ = 0;
};

}  // namespace picket::upstream

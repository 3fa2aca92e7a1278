// A forwarder with a backlog that goes by classes.
#pragma once

#include "forwarder_fixture.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace picket::upstream {

class LanesTest : public ForwarderTest {
 protected:
  DestinationConfig by_class() {
    auto config = destination(upstream);
    config.link.priority = {"errors"};  // the others follow in the usual order
    config.link.priority_backlog = 100;
    return config;
  }
  // Of ten a session, an error and a check-in; the rest are transactions.
  void post_backlog(std::uint64_t count = 500) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string type = i % 10 == 1 ? "session" : i % 10 == 4 ? "event" : i % 10 == 8 ? "check_in" : "transaction";
      post({.types = {type}, .described = true});
      types_[event_id(posted)] = type;
    }
  }
  DestinationConfig one_at_a_time() {
    auto config = by_class();
    config.max_in_flight = 1;
    return config;
  }
  // The types of what was accepted, in its order, repetitions left out: "event", "check_in" …
  std::vector<std::string> runs() const {
    std::vector<std::string> runs;
    for (const auto& id : upstream.accepted_ids()) {
      const auto& type = types_.at(id);
      if (runs.empty() || runs.back() != type) runs.push_back(type);
    }
    return runs;
  }
  // What has failed several times waits by the clock.
  bool all_written_in_time() {
    return soon([&] {
      clock.advance(20ms);
      return cursor() == journal.use().next && row().deferred_size() == 0;
    }, 120s);
  }
  std::size_t distinct() const {
    const auto ids = upstream.accepted_ids();
    return std::set<std::string>(ids.begin(), ids.end()).size();
  }

  std::map<std::string, std::string> types_;
};

}  // namespace picket::upstream

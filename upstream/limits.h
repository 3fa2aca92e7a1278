// Rate limits that one destination has announced, and what they make wait.
//
// INVARIANT  A later deadline wins; an earlier one never shortens a limit already announced.
// INVARIANT  No limit reaches further than a day: whatever the upstream or a leap of our clock says,
//            it is asked again.
#pragma once

#include "buffer/clock.h"
#include "buffer/schema/rows.pb.h"
#include "relay/protocol/rate_limits.h"
#include "upstream/parcel.h"
#include "upstream/routes.h"

#include <optional>
#include <string>
#include <vector>

namespace picket::upstream {

class Limits {
 public:
  // `limit` was announced in an answer to `label`. False when it changes nothing.
  bool note(const relay::RateLimit& limit, const Label& label, Time now);

  // Until when the parcel has to wait, or nothing.
  std::optional<Time> waits_until(const Label& label, Time now) const;
  // Until when everything for `target` has to wait, or nothing.
  std::optional<Time> all_until(const Target& target, Time now) const;
  // The furthest deadline of all, for status.
  std::optional<Time> last_until(Time now) const;

  void clear() { limits_.clear(); }
  bool expire(Time now);  // true when some were over

  void load(const schema::Destination& row, Time now);
  void store(schema::Destination& row) const;

 private:
  struct Limit {
    relay::ProjectId project = 0;  // the local one whose envelope was answered
    std::string scope;
    std::string target;
    std::vector<relay::DataCategory> categories;  // empty: all
    std::string reason;
    Time until{};
  };
  bool add(Limit limit);
  std::vector<Limit> limits_;
};

}  // namespace picket::upstream

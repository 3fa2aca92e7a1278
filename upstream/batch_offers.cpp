#include "upstream/batch_offers.h"

#include "relay/protocol/envelope_batch.h"

#include <algorithm>

namespace picket::upstream {
namespace {

// "1", or one of several versions: "1, 2".
bool offers_ours(std::string_view offer) {
  while (!offer.empty()) {
    auto version = offer.substr(0, offer.find(','));
    offer.remove_prefix(std::min(version.size() + 1, offer.size()));
    while (version.starts_with(' ')) version.remove_prefix(1);
    while (version.ends_with(' ')) version.remove_suffix(1);
    if (version == relay::batch_version) return true;
  }
  return false;
}

}  // namespace

void BatchOffers::set(Origin& origin, bool takes) {
  if (origin.takes == takes) return;
  origin.takes = takes;
  takers_ = takes ? takers_ + 1 : takers_ - 1;
}

void BatchOffers::note(const std::string& origin, std::string_view offer, Steady::time_point now) {
  if (offer.empty() && takers_ == 0) return;  // what nearly all answers are like
  Origin& known = origins_[origin];
  set(known, offers_ours(offer) && now >= known.deaf_until);
}

bool BatchOffers::refuse(const std::string& origin, Steady::time_point until) {
  Origin& known = origins_[origin];
  const bool before = known.takes;
  known.deaf_until = until;
  set(known, false);
  return before;
}

}  // namespace picket::upstream

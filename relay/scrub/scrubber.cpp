#include "relay/scrub/scrubber.h"

namespace picket::scrub {

struct Scrubber::State {};

Result<Scrubber> Scrubber::make(const Settings& /*settings*/) {
  return Scrubber(std::make_shared<const State>());
}

std::optional<std::string> Scrubber::scrub(const relay::Item& /*item*/) const {
  return std::nullopt;
}

bool Scrubber::does_anything() const {
  return false;
}

}  // namespace picket::scrub

// When a destination has something to do again that nobody tells it.
#include "upstream/destination.h"

#include <algorithm>

namespace picket::upstream {

std::optional<Duration> Destination::wakes_in() const {
  auto start = starts_in(clock_.now());
  if (probes()) start = std::min(start.value_or(Duration::max()), probe_.due_in(Steady::now()));
  if (relay_may_ask()) start = std::min(start.value_or(Duration::max()), relay_->due_in(Steady::now()));
  if (stopped_.empty()) return start;
  const auto go_on = link_.ready_in(Steady::now());
  return std::min(start.value_or(go_on), go_on);
}

std::optional<Duration> Destination::starts_in(Time now) const {
  if (paused_ || retired_ || stale_) return std::nullopt;
  const auto steady = Steady::now();
  if (backoff_.waits(steady)) return backoff_.left(steady);
  if (const auto until = all_limited_until(now)) return *until - now;
  if (const auto wait = link_.wait(now, steady, unsent_bytes())) return wait;
  if (!may_start(now)) return std::nullopt;
  if (fresh_may_go(now)) return Duration(0);
  const bool lanes = lanes_may_go();
  if (lanes && std::any_of(send_classes.begin(), send_classes.end(), [&](SendClass one) { return lane_may_go(one, now); })) {
    return Duration(0);
  }
  std::optional<Duration> least;
  const auto consider = [&](Duration wait) {
    wait = std::max(wait, Duration(0));
    least = std::min(least.value_or(wait), wait);
  };
  for (const Shipment& shipment : retries_) consider(std::chrono::ceil<Duration>(shipment.not_before - steady));
  if (const auto look = deferred_.next_look()) consider(std::max(*look, now) - now);
  if (journal_failed_until_ > steady) consider(std::chrono::ceil<Duration>(journal_failed_until_ - steady));
  if (no_fresh_before_ > now) consider(no_fresh_before_ - now);
  for (const SendClass one : send_classes) {
    const Time until = lane_waits_[static_cast<std::size_t>(one)];
    if (lanes && until > now && !lanes_.lane(one).empty()) consider(until - now);
  }
  if (resend_may_go() || (resend_.under_way() && resend_.job().next() >= resend_.job().end())) consider(Duration(0));
  if (const auto look = unsent_.next_look(); look && link_.allows(SendClass::other)) consider(std::max(*look, now) - now);
  return least;
}

}  // namespace picket::upstream

// Whether the destination can be reached at all, and what is done when it can be again.
#include "upstream/destination.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace picket::upstream {
namespace {

// A request as young may be waiting for an answer, or for a packet that was lost.
constexpr std::chrono::milliseconds patient_for(1'500);
// What is larger has perhaps come far, and goes on when TCP tries again.
constexpr std::size_t most_sent_anew = std::size_t{256} << 10;
// Name servers that do not answer are passed over by then: what asks them is not begun anew before.
constexpr std::chrono::seconds patient_with_names(12);
// Longer than libcurl keeps a connection that is not used.
constexpr std::chrono::minutes distrusted_for(2);

}  // namespace

bool Destination::probes() const {
  return !unreached_.empty() && config_.probe_every.count() > 0 && !paused_ && !retired_ && !stale_ && !ending_ &&
         !link_.wait(clock_.now(), Steady::now(), unsent_bytes());
}

void Destination::probe(CURLM* multi) {
  const auto now = Steady::now();
  if (unreached_.empty() && config_.probe_every.count() > 0) look_for_stuck(now);
  if (!probes()) return probe_.end(multi);
  probe_.pump(multi, unreached_, now, [this, multi] { on_connected(multi); });
}

// A request on a link that is gone says so only after `connect_timeout` or `stall_timeout`; the link may be back long before.
void Destination::look_for_stuck(Steady::time_point now) {
  if (now < next_reach_look_) return;
  next_reach_look_ = now + config_.probe_every;
  if (relay_ && relay_->is_stuck(now)) unreached_ = routes_.origin();
  for (const auto& [transfer, under_way] : under_way_) {
    if (now - under_way.began < patient_for || !transfer->is_stuck()) continue;
    unreached_ = under_way.shipment.label.target.origin;
    return;
  }
}

// TCP asks again at ever longer intervals: what is stuck goes on a connection of now.
void Destination::on_connected(CURLM* multi) {
  probe_.end(multi);
  const auto now = Steady::now();
  std::vector<Transfer*> stuck;
  for (const auto& [transfer, under_way] : under_way_) {
    const auto age = now - under_way.began;
    if (age < patient_for || transfer->body_bytes() > most_sent_anew || !transfer->is_stuck()) continue;
    // That the last address answers says nothing about the name servers.
    if (probe_.knows_address() && transfer->is_looking_up() && age < patient_with_names) continue;
    stuck.push_back(transfer);
  }
  const bool relay_stuck = relay_ && relay_->is_stuck(now);
  if (relay_stuck) end_relay_query(multi);
  const bool was_away = !stuck.empty() || relay_stuck || backoff_.failing();
  for (auto* const transfer : stuck) take_back(multi, *transfer);
  unreached_.clear();
  if (was_away) reached_again_ = now;
  backoff_.hurry();
  if (relay_) relay_->hasten(false);
}

// Connections from before the link was gone may be stuck for as long again; those from before a stranger answered lead to him.
Transfer::Way Destination::way(Steady::time_point now) const {
  using std::chrono::seconds;
  Transfer::Way way;
  way.look_up_anew = backoff_.failing();
  if (reached_again_ && now - *reached_again_ <= std::chrono::minutes(1)) {
    way.oldest = seconds(1) + std::chrono::duration_cast<seconds>(now - *reached_again_);
  }
  if (misled_ && now - *misled_ <= distrusted_for) {
    // libcurl counts an age in whole seconds.
    const auto since = std::chrono::duration_cast<seconds>(now - *misled_);
    way.oldest = std::min(way.oldest, since < seconds(2) ? seconds(0) : since - seconds(1));
  }
  return way;
}

void Destination::take_back(CURLM* multi, Transfer& transfer) {
  auto node = under_way_.extract(&transfer);
  auto& under_way = node.mapped();
  bytes_under_way_ -= transfer.body_bytes();
  release(transfer, under_way);
  transfer.abandon(multi);
  free_.push_back(std::move(under_way.transfer));
  if (under_way.batch) {
    pace_.shrink(under_way.began, Steady::now());
    return take_back_batch(*under_way.batch);
  }
  auto& shipment = under_way.shipment;
  if (shipment.report) return unsent_.put_back(clock_.now());
  take_back(std::move(shipment));
}

}  // namespace picket::upstream

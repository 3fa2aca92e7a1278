#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <filesystem>

namespace picket::upstream {
namespace {

constexpr std::chrono::milliseconds between_link_looks(10);
constexpr std::chrono::seconds between_meterings(1);

}  // namespace

void Destination::look_at_link(Time now) {
  const auto steady = Steady::now();
  if (steady < next_link_look_) return;
  next_link_look_ = steady + between_link_looks;
  // Without a cap only the metrics ask for what the sockets have carried: a system call for each.
  if (link_.capped() || steady >= next_meter_) {
    next_meter_ = steady + between_meterings;
    wire_ = meter_->total();
  }
  link_.look(now, steady, wire_, !under_way_.empty());
}

void Destination::look_whether_metered() {
  std::error_code ignored;
  const bool by_file = !config_.link.metered_file.empty() && std::filesystem::exists(config_.link.metered_file, ignored);
  const bool before = link_.restricted();
  link_.set_metered(by_file, metered_by_signal_);
  if (before == link_.restricted()) return;
  if (before) {
    log(Level::info, "upstream", "link no longer metered", {{"destination", config_.name}});
  } else {
    log(Level::info, "upstream", "link metered: only some classes go", {{"destination", config_.name}});
  }
  // What did not go over the metered link goes now.
  deferred_.hasten();
  no_fresh_before_ = {};
}

std::uint64_t Destination::grant(Transfer& transfer, std::uint64_t wanted) {
  const auto granted = link_.take(wanted, Steady::now());
  if (granted == 0) stopped_.push_back(&transfer);
  return granted;
}

// Of paced bodies under way.
std::uint64_t Destination::unsent_bytes() const {
  if (!link_.paced()) return 0;
  std::uint64_t bytes = 0;
  for (const auto& [transfer, under_way] : under_way_) bytes += transfer->unsent_bytes();
  return bytes;
}

// The one with the least left: a large body must not let small ones time out beside it.
void Destination::keep_pace() {
  if (stopped_.empty() || link_.ready_in(Steady::now()) > Duration(0)) return;
  const auto least = std::min_element(stopped_.begin(), stopped_.end(), [](const Transfer* a, const Transfer* b) {
    return a->unsent_bytes() < b->unsent_bytes();
  });
  Transfer* const transfer = *least;
  stopped_.erase(least);
  transfer->go_on();
}

// Whether the link has room for the request; else the shipment waits where it can.
bool Destination::admit(Shipment& shipment, const Request& request) {
  if (!link_.capped()) return true;
  const auto bytes = request.wire_bytes();
  const auto admission = link_.admit(bytes, Steady::now());
  if (shipment.report && admission != Link::Admission::go) {
    unsent_.put_back(clock_.now());
    return false;
  }
  switch (admission) {
    case Link::Admission::go: return true;
    case Link::Admission::later:
      put_off(std::move(shipment), link_.next_period(bytes, clock_.now()));
      return false;
    case Link::Admission::soon:
      if (shipment.deferred) {
        put_off(std::move(shipment), clock_.now());
      } else {
        retries_.push_back(std::move(shipment));
      }
      return false;
  }
  std::abort();
}

void Destination::release(Transfer& transfer, const UnderWay& under_way) {
  link_.end(under_way.bytes);
  std::erase(stopped_, &transfer);
}

Link::Expiry Destination::expiry_of(const Label& label) const {
  const Time now = clock_.now();
  return link_.expiry(label.send_class, now - label.received, now - label.happened.value_or(label.received));
}

// A resend is somebody's wish.
Link::Expiry Destination::expiry_of(const Shipment& shipment) const {
  return shipment.resend ? Link::Expiry::none : expiry_of(shipment.label);
}

// Whether the shipment is too old to be sent: then it is settled.
bool Destination::expire(const Shipment& shipment, std::string_view key) {
  const auto expiry = expiry_of(shipment);
  if (expiry == Link::Expiry::none) return false;
  ++(expiry == Link::Expiry::outlived ? said_.link.outlived : said_.link.too_old);
  settle_expired(shipment, key);
  return true;
}

void Destination::settle_expired(const Shipment& shipment, std::string_view key) {
  Settled settled;
  settled.fate = Fate::expired;
  settled.label = shipment.label;
  settled.label.key = key;
  settle(shipment, std::move(settled));
}

// When the backlog will be gone; about once a second.
void Destination::estimate() {
  const Time now = clock_.now();
  const auto end = journal_.use().next;
  const auto waiting = deferred_.size() + lanes_.waiting() + (end - std::min(end, window_.cursor()));
  const bool open = waiting > 0 && !paused_ && said_.reason.empty() && !backoff_.failing() && !link_.status().waits_until;
  const auto wire = link_.status().wire;
  drain_rate_.note(Steady::now(), said_.forwarded + said_.quarantined + said_.expired, end, wire.sent + wire.received, open);
  said_.link.drained_at = link_.drained_at(now, waiting, drain_rate_);
}

}  // namespace picket::upstream

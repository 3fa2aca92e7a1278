#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

constexpr std::size_t lane_batch_bytes = std::size_t{512} << 10;
constexpr std::size_t lane_batch_records = 128;
// Batches that a class looks through before the next may keep an idle link busy.
constexpr int looks_before_others = 8;
constexpr std::chrono::milliseconds between_hand_overs(20);

}  // namespace

// Many wait for a limit: more of them must not keep other classes from going.
bool Destination::deferred_crowded() const {
  return deferred_.size() + window_.deferred() >= Deferred::capacity / 2;
}

// Whether what lies before the cursor is handed over to the classes, rather than sent as it came.
bool Destination::wants_lanes(std::uint64_t backlog) const {
  if (!lanes_.empty() || link_.restricted()) return true;
  return link_.by_class() && (backlog > config_.link.priority_backlog || deferred_crowded());
}

void Destination::consider_lanes() {
  if (lanes_.empty() && !link_.restricted() && !link_.by_class()) return;
  const auto steady = Steady::now();
  if (steady < next_hand_over_ || (at_end_ && lanes_.empty())) return;
  next_hand_over_ = steady + between_hand_overs;
  const auto use = journal_.use();
  if (lanes_.forget_before(use.first)) {
    lane_batch_ = {};
    ledger_.touch();
  }
  settle_lost();
  const auto end = window_.end();
  if (paused_ || end >= use.next || window_.size() >= window_records() || !wants_lanes(use.next - end)) return;
  batch_ = {};
  next_in_batch_ = 0;
  Shipment shipment;
  shipment.label.sequence = end;
  Settled handed;
  handed.fate = Fate::handed;
  handed.records = use.next - end;
  handed.label.sequence = end;
  window_.open(handed.records);
  at_end_ = true;
  settle(shipment, std::move(handed));
}

void Destination::settle_lost() {
  const auto lost = lanes_.take_lost();
  if (lost == 0) return;
  log(Level::error, "upstream", "records were recycled before they could be forwarded", {{"destination", config_.name}, {"records", lost}});
  Settled settled;
  settled.fate = Fate::expired;
  settled.records = lost;
  settled.label = unreadable_label(0, 0, clock_.now());
  settled.label.counts.front().quantity = lost;
  count(settled);
}

bool Destination::lane_may_go(SendClass send_class, Time now) const {
  return !lanes_.lane(send_class).empty() && link_.allows(send_class) && lane_waits_[static_cast<std::size_t>(send_class)] <= now;
}

bool Destination::lanes_may_go() const {
  if (lanes_.empty() || deferred_full() || Steady::now() < journal_failed_until_) return false;
  // While it fails, what was taken is tried again rather than more.
  return !backoff_.failing() || deferred_.size() < flight_.near();
}

bool Destination::ship_lane(CURLM* multi) {
  if (!lanes_may_go()) return false;
  const bool more = look_along_lanes(multi);
  // In the change that says they are empty.
  settle_lost();
  return more;
}

bool Destination::look_along_lanes(CURLM* multi) {
  const Time now = clock_.now();
  bool looked = false;
  for (const SendClass send_class : link_.order()) {
    for (int looks = 0; looks < looks_before_others && lane_may_go(send_class, now); ++looks) {
      const Look look = look_along(multi, send_class);
      if (look == Look::shipped) return true;
      if (look == Look::waits) break;
      looked = true;
      // While one class looks for its own, the next keeps the link from idling, but no more.
      if (!under_way_.empty()) return true;
    }
  }
  return looked;
}

// Reads where the lane looks next; false when the journal cannot be read now.
bool Destination::load_lane_batch(SendClass send_class) {
  const SequenceRange next = lanes_.lane(send_class).next();
  const bool newest = link_.newest_first().test(static_cast<std::size_t>(send_class));
  const auto at = newest ? next.end - 1 : next.first;
  if (lane_batch_.of == send_class && at >= lane_batch_.covers.first && at < lane_batch_.covers.end) return true;
  lane_batch_.records = {};
  for (;;) {
    const auto most = std::min<std::uint64_t>(newest ? lane_batch_.step : lane_batch_records, next.size());
    const auto first = newest ? next.end - most : next.first;
    auto read = journal_.read(first, lane_batch_bytes, most);
    if (!read || read->next <= first) {
      journal_failed_until_ = Steady::now() + std::chrono::seconds(1);
      return false;
    }
    const bool whole = read->next >= next.end;
    if (newest && !whole && most > 1) {
      lane_batch_.step = std::max<std::size_t>(most / 2, 1);
      continue;
    }
    lane_batch_.step = std::min(lane_batch_.step * 2, lane_batch_records);
    lane_batch_.of = send_class;
    lane_batch_.covers = {first, newest ? next.end : std::min(read->next, next.end)};
    lane_batch_.records = *std::move(read);
    has_read_ = true;
    std::sort(lane_batch_.records.damaged.begin(), lane_batch_.records.damaged.end());
    return true;
  }
}

// Goes through one batch at most, up to the first that is the lane's own.
Destination::Look Destination::look_along(CURLM* multi, SendClass send_class) {
  if (!load_lane_batch(send_class)) return Look::waits;
  Lane& lane = lanes_.lane(send_class);
  const bool newest = link_.newest_first().test(static_cast<std::size_t>(send_class));
  while (!lane.empty()) {
    const SequenceRange next = lane.next();
    const auto at = newest ? next.end - 1 : next.first;
    if (at < lane_batch_.covers.first || at >= lane_batch_.covers.end) break;
    const auto& records = lane_batch_.records.records;
    const auto found = std::lower_bound(records.begin(), records.end(), at,
                                        [](const buffer::StoredRecord& record, buffer::Sequence wanted) { return record.sequence < wanted; });
    if (found == records.end() || found->sequence != at) {
      pass_unreadable(send_class, at, newest);
      continue;
    }
    const bool envelope = found->kind == buffer::RecordKind::envelope;
    const auto its_class = envelope ? class_of_record(*found, journal_.reading_room()) : SendClass::other;
    if (!its_class) {  // no room to open it just now
      journal_failed_until_ = Steady::now() + std::chrono::seconds(1);
      return Look::waits;
    }
    if (*its_class != send_class || !envelope) {
      lane.pass({at, at + 1});
      if (*its_class == send_class) lanes_.take(1);
      continue;
    }
    return ship_from_lane(multi, *found, send_class);
  }
  ledger_.touch();
  return Look::nothing_yet;
}

// The rest, in the lane's direction, of a hole in the batch.
SequenceRange Destination::hole_at(buffer::Sequence sequence, bool newest) const {
  const SequenceRange next = lanes_.lane(lane_batch_.of).next();
  SequenceRange hole{std::max(lane_batch_.covers.first, next.first), std::min(lane_batch_.covers.end, next.end)};
  const auto narrow = [&](buffer::Sequence there) {
    if (there < sequence) hole.first = std::max(hole.first, there + 1);
    if (there > sequence) hole.end = std::min(hole.end, there);
  };
  for (const auto& record : lane_batch_.records.records) narrow(record.sequence);
  for (const auto damaged : lane_batch_.records.damaged) narrow(damaged);
  return newest ? SequenceRange{hole.first, sequence + 1} : SequenceRange{sequence, hole.end};
}

// A damaged record is in the charge of the last class. A hole (what was recycled, or lost with its
// segment) is in nobody's: that something is lost in it is known when all have been through.
void Destination::pass_unreadable(SendClass send_class, buffer::Sequence sequence, bool newest) {
  Lane& lane = lanes_.lane(send_class);
  const auto& damaged = lane_batch_.records.damaged;
  if (!std::binary_search(damaged.begin(), damaged.end(), sequence)) return lane.pass(hole_at(sequence, newest));
  lane.pass({sequence, sequence + 1});
  if (send_class != SendClass::other) return;
  lanes_.take(1);
  Shipment shipment;
  shipment.deferred = true;
  shipment.label.sequence = sequence;
  refuse_unreadable(std::move(shipment), "damaged in the journal");
}

Destination::Look Destination::ship_from_lane(CURLM* multi, const buffer::StoredRecord& record, SendClass send_class) {
  auto parcel = open(record, false);
  if (!parcel && parcel.error().fault == Fault::unavailable) {
    journal_failed_until_ = Steady::now() + std::chrono::seconds(1);
    return Look::waits;
  }
  const bool goes = parcel && !record.dropped() && !parcel->label.nothing_goes() && expiry_of(parcel->label) == Link::Expiry::none;
  const auto until = goes ? waits_until(parcel->label) : std::nullopt;
  if (until && deferred_crowded()) {
    lane_waits_[static_cast<std::size_t>(send_class)] = *until;
    return Look::waits;
  }
  lanes_.lane(send_class).pass({record.sequence, record.sequence + 1});
  lanes_.take(1);
  ledger_.touch();
  Deferred::Entry entry;
  entry.under_way = true;
  if (parcel) entry.label = parcel->label;
  deferred_.add(record.sequence, std::move(entry));
  Shipment shipment;
  shipment.label.sequence = record.sequence;
  shipment.deferred = true;
  shipment.successes_before = successes_;
  ship_opened(multi, record, std::move(parcel), std::move(shipment));
  return Look::shipped;
}

// Limits that made a lane wait may be gone.
void Destination::hasten_lanes() {
  lane_waits_.fill(Time{});
}

}  // namespace picket::upstream

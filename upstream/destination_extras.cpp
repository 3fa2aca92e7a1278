// What a destination sends beside the journal's own course: a resend, and reports of what it left out.
#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {

// What is under way is still waited for, what would be tried again is not.
void Destination::give_up_resend() {
  for (const Shipment& shipment : retries_) {
    if (!shipment.resend) continue;
    --resending_;
    resend_.settle(shipment.label.sequence, Resend::End::passed, ledger_.marks());
  }
  std::erase_if(retries_, [](const Shipment& shipment) { return shipment.resend; });
}

// What arrives goes first, and finds three quarters of the requests free.
bool Destination::resend_may_go() const {
  const auto room = batching() ? window_records() : flight_.near();
  return resend_.may_look() && !resend_.stuck() && resending_ < std::max<std::uint64_t>(1, room / 4) &&
         Steady::now() >= journal_failed_until_;
}

// True when it has just ended.
bool Destination::end_resend() {
  if (!resend_.finish(clock_.now())) return false;
  const auto& job = resend_.job();
  log(Level::info, "upstream", "resend ended",
      {{"cancelled", job.cancelled() ? "yes" : "no"}, {"destination", config_.name}, {"sent", job.sent()}, {"already_there", job.already_there()}, {"refused", job.refused()}});
  ledger_.touch();
  return true;
}

bool Destination::ship_resend(CURLM* multi) {
  if (end_resend()) return true;
  if (!resend_may_go()) return false;
  const auto waits = [this](buffer::Sequence sequence) {
    return deferred_.contains(sequence) || delivered_lately_.contains(sequence) || delivered_being_written_.contains(sequence);
  };
  const Resend::Known known{config_.name, durable_cursor_, started_, waits};
  const buffer::StoredRecord* record = resend_.look(journal_, *tables_, known);
  ledger_.touch();
  if (record == nullptr) return !resend_.stuck();
  Shipment shipment;
  shipment.label.sequence = record->sequence;
  shipment.resend = true;
  ++resending_;
  ship(multi, *record, std::move(shipment));
  return true;
}

void Destination::settle_resent(buffer::Sequence sequence, Fate fate) {
  Resend::End end = Resend::End::gone;
  if (fate == Fate::forwarded) end = Resend::End::sent;
  if (fate == Fate::quarantined) end = Resend::End::refused;
  if (fate == Fate::not_routed || fate == Fate::not_sampled) end = Resend::End::not_wanted;
  --resending_;
  resend_.settle(sequence, end, ledger_.marks());
  ledger_.note_resent();
}

bool Destination::ship_report(CURLM* multi) {
  if (!link_.allows(SendClass::other)) return false;
  auto report = unsent_.start(clock_.now());
  if (!report) return false;
  auto target = routes_.find_target(report->project, report->key);
  if (!target) {
    unsent_.settle(clock_.now());  // records without a key: nobody to tell
    return true;
  }
  Shipment shipment;
  shipment.report = true;
  shipment.label.project = report->project;
  shipment.label.received = clock_.now();
  shipment.label.target = *std::move(target);
  Parcel parcel;
  parcel.label = shipment.label;
  parcel.stored = report->envelope;
  note_way(parcel, instance_);
  send(multi, parcel, std::move(shipment));
  return true;
}

// An answer that was lost, or comes later, costs a report that is told twice; records never wait for one.
void Destination::on_report_answered(Verdict verdict) {
  ledger_.touch();
  if (verdict == Verdict::delivered || verdict == Verdict::refuse || verdict == Verdict::recode) return unsent_.settle(clock_.now());
  unsent_.put_back(clock_.now());
}

}  // namespace picket::upstream

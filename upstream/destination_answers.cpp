#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

constexpr std::size_t kept_answer_bytes = 1'000;

relay::Coding plainer(relay::Coding coding) {
  const bool rare = coding == relay::Coding::br || coding == relay::Coding::zstd;
  return rare ? relay::Coding::gzip : relay::Coding::identity;
}

std::string_view coding_word(relay::Coding coding) {
  return coding == relay::Coding::gzip ? "gzip" : "identity";
}

}  // namespace

void Destination::on_finished(CURLM* multi, Transfer& transfer, CURLcode code) {
  const auto found = under_way_.find(&transfer);
  if (found == under_way_.end()) std::abort();
  const auto bytes = transfer.body_bytes();
  bytes_under_way_ -= bytes;
  release(transfer, found->second);
  const std::string address = code == CURLE_OK ? transfer.address() : std::string();
  const Duration round_trip = found->second.batch ? transfer.round_trip() : Duration(0);  // a system call
  const Answer answer = transfer.finish(multi, code);
  UnderWay ended = std::move(found->second);
  under_way_.erase(found);
  // What only a long link needs is not kept.
  if (free_.size() < flight_.near()) free_.push_back(std::move(ended.transfer));
  note_answerer(address, answer);
  const auto now = Steady::now();
  if (ended.batch) return on_batch_answered(*ended.batch, answer, {ended.began, now, round_trip, answer.connecting.count() > 0, ended.batch->full ? ended.batch->all_bytes : 0}, bytes);
  if (answer.failure.empty()) flight_.on_answered({ended.began, now, answer.took, answer.connecting, bytes});
  if (answer.status / 100 == 2 && answer.failure.empty()) offers_.note(ended.shipment.label.target.origin, answer.batch_offer, now);
  on_answered(std::move(ended.shipment), answer, bytes);
}

// Whether it was the upstream that answered; and where it was reached, for when name servers are gone with the link.
void Destination::note_answerer(const std::string& address, const Answer& answer) {
  const bool stranger = answer.content_type != relay::batch_answer_type && judge(answer).stranger;
  if (stranger) misled_ = Steady::now();
  if (!address.empty() && !stranger && (backoff_.failing() || !probe_.knows_address())) probe_.remember_address(address);
}

void Destination::on_answered(Shipment shipment, const Answer& answer, std::uint64_t bytes) {
  note_limits(answer, shipment.label);
  const Judgement judgement = judge(answer);
  if (is_doubted(shipment, answer)) return shipment.report ? unsent_.put_back(clock_.now()) : take_back(std::move(shipment));
  if (shipment.report) return on_report_answered(judgement.verdict);
  switch (judgement.verdict) {
    case Verdict::delivered: return on_delivered(shipment, bytes);
    case Verdict::retry: return on_retry(std::move(shipment), answer, judgement.reason);
    case Verdict::wait: return on_wait(std::move(shipment), answer, judgement.reason);
    case Verdict::recode: return on_recode(std::move(shipment), answer);
    case Verdict::hold: return on_hold(std::move(shipment), judgement.reason);
    case Verdict::refuse: return refuse(shipment, answer.status, answer.body);
  }
}

void Destination::count(const Settled& settled) {
  ledger_.add(settled, clock_.now());
  const buffer::Sequence sequence = settled.label.sequence;
  // Too old to be sent; what the journal recycled is not there any more.
  const bool expired = settled.fate == Fate::expired && settled.records == 1;
  // Of what is in quarantine more may go yet, or less.
  const bool is_final = settled.fate == Fate::forwarded || settled.label.nothing_goes() || expired;
  if (is_final) unsent_.add(settled, clock_.now());
  const bool never_sent = settled.label.nothing_goes() || settled.fate == Fate::quarantined || expired;
  if (never_sent && settled.records == 1) ledger_.marks().set(buffer::Mark::not_sent, sequence);
  if (forward_only_ && (expired || !settled.label.left_out.empty())) unwanted_.note(sequence, sequence);
  switch (settled.fate) {
    case Fate::skipped:
    case Fate::deferred:
    case Fate::handed: return;
    case Fate::forwarded:
      said_.forwarded += settled.records;
      said_.forwarded_bytes += settled.sent_bytes;
      return;
    case Fate::quarantined: said_.quarantined += settled.records; return;
    case Fate::expired: said_.expired += settled.records; return;
    case Fate::not_routed: said_.not_routed += settled.records; return;
    case Fate::not_sampled: said_.not_sampled += settled.records; return;
  }
}

void Destination::settle(const Shipment& shipment, Settled settled) {
  const buffer::Sequence sequence = shipment.label.sequence;
  if (shipment.resend) return settle_resent(sequence, settled.fate);
  if (shipment.deferred) {
    deferred_.remove(sequence);
    if (settled.fate == Fate::forwarded) {  // perhaps out of quarantine
      ledger_.marks().clear(buffer::Mark::not_sent, sequence);
      delivered_lately_.insert(sequence);
    }
    return count(settled);
  }
  window_.settle(sequence, std::move(settled));
  window_.pass([&](Settled passed) {
    if (passed.fate == Fate::deferred) {
      // Put off before the operator resumed, while an earlier one was under way: it waits no longer.
      const bool stale = passed.retry_generation != retry_generation_;
      deferred_.add(passed.label.sequence, {stale ? Time{} : passed.deferred_until, passed.label, passed.attempts});
    }
    if (passed.fate == Fate::handed) lanes_.hand_over({passed.label.sequence, passed.label.sequence + passed.records});
    count(passed);
  });
}

void Destination::on_written() {
  being_written_ = 0;
  link_.on_written();
  delivered_being_written_.clear();
  if (taken_cursor_ > durable_cursor_) resend_.loosen();
  durable_cursor_ = taken_cursor_;
}

void Destination::refuse(const Shipment& shipment, unsigned status, std::string answer) {
  if (shipment.resend) {
    log(Level::warning, "upstream", "envelope of a resend refused",
        {{"destination", config_.name}, {"sequence", shipment.label.sequence}, {"status", status}, {"see", "picket journal show"}});
  } else {
    log(Level::warning, "upstream", "envelope refused and put in quarantine",
        {{"destination", config_.name}, {"sequence", shipment.label.sequence}, {"status", status},
         {"see", "picket upstream quarantine"}});
  }
  Settled settled;
  settled.fate = Fate::quarantined;
  settled.label = shipment.label;
  settled.status = status;
  settled.answer = printable(answer, kept_answer_bytes);
  settle(shipment, std::move(settled));
  // Whoever refuses one envelope for what it is would take others.
  if (status != 0) on_reached();
}

void Destination::refuse_unreadable(Shipment shipment, std::string reason) {
  shipment.label = unreadable_label(shipment.label.sequence, shipment.label.project, clock_.now());
  refuse(shipment, 0, std::move(reason));
}

void Destination::put_off(Shipment shipment, Time until) {
  const buffer::Sequence sequence = shipment.label.sequence;
  if (shipment.resend) {
    const auto wait = std::clamp(until - clock_.now(), Duration(1), std::max(config_.retry_max, Duration(1)));
    shipment.not_before = Steady::now() + wait;
    retries_.push_back(std::move(shipment));
    return;
  }
  if (shipment.deferred) {
    return deferred_.add(sequence, {until, std::move(shipment.label), shipment.attempts});
  }
  if (deferred_full()) {
    no_fresh_before_ = until;
    const auto wait = std::clamp(until - clock_.now(), Duration(1), Duration(1'000));
    shipment.not_before = Steady::now() + wait;
    retries_.push_back(std::move(shipment));
    return;
  }
  Settled settled;
  settled.fate = Fate::deferred;
  settled.deferred_until = until;
  settled.attempts = shipment.attempts;
  settled.retry_generation = retry_generation_;
  settled.label = shipment.label;
  settle(shipment, std::move(settled));
}

// Nothing of it is for this destination.
void Destination::leave_out(const Shipment& shipment) {
  Settled settled;
  const auto& left_out = shipment.label.left_out;
  const bool sampled = std::any_of(left_out.begin(), left_out.end(), [](const LeftOut& one) {
    return one.fate == static_cast<std::uint8_t>(Fate::not_sampled);
  });
  settled.fate = sampled ? Fate::not_sampled : Fate::not_routed;
  settled.label = shipment.label;
  settle(shipment, std::move(settled));
}

void Destination::on_reached() {
  if (backoff_.failing()) log(Level::info, "upstream", "reached again", {{"destination", config_.name}});
  backoff_.on_success();
  unreached_.clear();
}

void Destination::on_delivered(const Shipment& shipment, std::uint64_t bytes) {
  ++successes_;
  const bool probe = shipment.epoch == backoff_.epoch();
  const bool held = !said_.reason.empty();
  // What was under way when the hold began says nothing about it.
  if (held && probe && (held_key_.empty() || held_key_ == shipment.label.target.key)) {
    log(Level::info, "upstream", "accepts again", {{"destination", config_.name}});
    said_.reason.clear();
    held_key_.clear();
  }
  if (said_.reason.empty() || !routes_.only_target() || probe) on_reached();
  said_.last_success = clock_.now();
  said_.last_error.clear();
  notes_.add(shipment.label.sequence, shipment.label.note);
  settle_delivered(shipment, bytes);
}

void Destination::settle_delivered(const Shipment& shipment, std::uint64_t bytes) {
  Settled settled;
  settled.fate = Fate::forwarded;
  settled.label = shipment.label;
  settled.sent_bytes = bytes;
  settle(shipment, std::move(settled));
}

void Destination::on_retry(Shipment shipment, const Answer& answer, const std::string& reason) {
  Duration at_least{0};
  if (answer.failure.empty() && !answer.retry_after.empty()) {
    at_least = std::clamp<Duration>(relay::parse_retry_after(answer.retry_after, clock_.now()).value_or(Duration(0)),
                                    Duration(0), std::chrono::hours(24));
  }
  if (!backoff_.failing()) {
    log(Level::warning, "upstream", "not delivered; trying again", {{"destination", config_.name}, {"reason", reason}});
  }
  if (shipment.epoch == backoff_.epoch()) unreached_ = answer.unreached ? shipment.label.target.origin : std::string();
  if (!answer.failure.empty()) flight_.reset();
  backoff_.on_failure(shipment.epoch, at_least, Steady::now());
  ++said_.failures;
  said_.last_error = reason;
  ledger_.touch();
  try_later(std::move(shipment), answer);
}

// Sets aside what has failed often while others succeeded; all else stays in its place.
void Destination::try_later(Shipment shipment, const Answer& answer) {
  if (shipment.attempts++ == 0) shipment.successes_before = successes_;
  const bool alone = answer.failure.empty() && successes_ > shipment.successes_before;
  if (shipment.deferred || (alone && shipment.attempts >= patience)) {
    // Of a destination that fails as a whole the back-off decides when; only for what goes on failing
    // there is a pause of its own, so that it does not keep others from showing that all is well.
    const bool own_pause = alone || shipment.attempts >= patience;
    const auto wait = own_pause ? jittered(config_.retry_min, config_.retry_max, shipment.attempts) : Duration(0);
    return put_off(std::move(shipment), clock_.now() + wait);
  }
  retries_.push_back(std::move(shipment));
}

void Destination::on_wait(Shipment shipment, const Answer& answer, const std::string& reason) {
  const auto until = limits_.waits_until(shipment.label, clock_.now());
  if (!until) return on_retry(std::move(shipment), answer, reason);
  on_reached();
  put_off(std::move(shipment), *until);
}

void Destination::on_recode(Shipment shipment, const Answer& answer) {
  if (shipment.coding == relay::Coding::identity) return refuse(shipment, answer.status, answer.body);
  // What is too large for brotli is gzip.
  const bool large = coding_ == relay::Coding::br && shipment.coding == relay::Coding::gzip && !takes_stored_;
  if (shipment.coding != coding_ && !large) {
    takes_stored_ = false;
  } else {
    coding_ = plainer(shipment.coding);
    log(Level::info, "upstream", "does not take this compression; going on with a plainer one",
        {{"destination", config_.name}, {"compression", coding_word(coding_)}});
  }
  on_reached();
  if (shipment.deferred) return put_off(std::move(shipment), clock_.now());
  retries_.push_back(std::move(shipment));
}

void Destination::on_hold(Shipment shipment, const std::string& reason) {
  // An answer to what was sent before the operator resumed says nothing about what was mended.
  if (shipment.retry_generation != retry_generation_) {
    ++shipment.attempts;
    if (shipment.deferred) return put_off(std::move(shipment), clock_.now());
    retries_.push_back(std::move(shipment));
    return;
  }
  const bool whole = routes_.only_target().has_value();
  const std::string words = whole ? reason : "project " + std::to_string(shipment.label.project) + ": " + reason;
  if (said_.reason != words) {
    log(Level::error, "upstream", "held: the upstream does not accept us; mend it, then resume",
        {{"destination", config_.name}, {"reason", words}, {"resume", "picket upstream resume " + config_.name}});
  }
  said_.reason = words;
  said_.last_error = words;
  ++said_.failures;
  held_key_ = whole ? std::string() : shipment.label.target.key;
  ledger_.touch();
  ++shipment.attempts;
  if (whole) {
    if (shipment.epoch == backoff_.epoch()) backoff_.stop_for(config_.hold_probe, Steady::now());
    forget_batch();
    if (shipment.deferred) return put_off(std::move(shipment), clock_.now());
    retries_.push_back(std::move(shipment));
    return;
  }
  // One key is refused; the others' envelopes go on.
  relay::RateLimit limit;
  limit.scope = "key";
  limit.reason = "held";
  limit.until = clock_.now() + config_.hold_probe;
  limits_.note(limit, shipment.label, clock_.now());
  put_off(std::move(shipment), limit.until);
}

void Destination::note_limits(const Answer& answer, const Label& label) {
  const Time now = clock_.now();
  const bool before = limits_.last_until(now).has_value();
  bool changed = false;
  for (const relay::RateLimit& limit : announced_limits(answer, now)) {
    changed = limits_.note(limit, label, now) || changed;
  }
  if (!changed) return;
  ledger_.touch();
  if (!before) {
    log(Level::info, "upstream", "rate limited",
        {{"destination", config_.name}, {"limits", printable(answer.rate_limits.empty() ? answer.retry_after : answer.rate_limits, 200)}});
  }
}

buffer::Sequence Destination::passed_cursor() const {
  const auto lowest = lanes_.lowest();
  return lowest == 0 ? window_.cursor() : std::min(lowest, window_.cursor());
}

Change Destination::take_change() {
  Change change = ledger_.take();
  change.name = config_.name;
  change.cursor = passed_cursor();
  change.row.set_held_reason(said_.reason);
  change.row.set_last_error(said_.last_error);
  if (said_.last_success) change.row.set_last_success_ms(to_ms(*said_.last_success));
  if (said_.last_attempt) change.row.set_last_attempt_ms(to_ms(*said_.last_attempt));
  limits_.store(change.row);
  unsent_.store(change.row);
  change.generation = generation_;
  change.row.set_started(started_);
  *change.row.mutable_resend() = resend_.job();
  change.journal_first = journal_.use().first;
  taken_cursor_ = change.cursor;
  // Out of the window, what is behind the cursor is in the tables, whatever lanes, deferred list and resend say of it.
  notes_.turn(window_.cursor(), what_waits());
  delivered_being_written_.merge(delivered_lately_);
  unwanted_.forget_before(change.journal_first);
  unwanted_.store(change.row);
  link_.store(*change.row.mutable_link(), ending_);
  lanes_.store(*change.row.mutable_link());
  change.row.mutable_link()->set_limits_passed(!config_.link.pass_limits ? 0 : routes_.only_target() ? 2 : 1);
  change.row.mutable_link()->set_drained_at_ms(said_.link.drained_at ? to_ms(*said_.link.drained_at) : 0);
  change.row.mutable_link()->set_outlived(said_.link.outlived);
  change.row.mutable_link()->set_too_old(said_.link.too_old);
  change.row.mutable_link()->set_way_requests(static_cast<std::uint64_t>(flight_.known().allowance));
  change.row.mutable_link()->set_way_answer_us(static_cast<std::uint64_t>(flight_.known().answer.count()));
  change.row.mutable_link()->set_way_connect_us(static_cast<std::uint64_t>(flight_.known().connect.count()));
  change.row.mutable_link()->set_fresh_cursor(window_.cursor());
  change.row.mutable_link()->set_kept_cursor(change.cursor);
  for (const auto& [sequence, entry] : deferred_.entries()) change.row.add_deferred(sequence);
  being_written_ = std::max<std::uint64_t>(change.settled, 1);
  return change;
}

DestinationState Destination::state(Time now) const {
  if (retired_) return DestinationState::retired;
  if (paused_) return DestinationState::paused;
  const bool drained = drain_until_ != 0 && passed_cursor() >= drain_until_ && deferred_.size() == 0;
  if (drained) return DestinationState::drained;
  if (!said_.reason.empty()) return DestinationState::held;
  if (backoff_.failing() || relay_fails()) return DestinationState::retrying;
  if (link_.status().waits_until) return DestinationState::closed;
  if (limits_.last_until(now)) return DestinationState::limited;
  return drain_until_ != 0 ? DestinationState::draining : DestinationState::running;
}

buffer::Sequence Destination::oldest_behind() const {
  const auto deferred = deferred_.oldest();
  const auto lowest = lanes_.lowest();
  return deferred == 0 || lowest == 0 ? std::max(deferred, lowest) : std::min(deferred, lowest);
}

DestinationStatus Destination::status() const {
  DestinationStatus status = said_;
  status.state = state(clock_.now());
  status.forward_only = forward_only_;
  status.resend = resend_.job();
  status.cursor = window_.cursor();
  status.deferred = deferred_.size();
  status.handed = lanes_.waiting();
  status.in_flight = under_way_.size();
  status.retry_in = backoff_.left(Steady::now());
  status.link = link_.status();
  status.link.drained_at = said_.link.drained_at;
  status.link.outlived = said_.link.outlived;
  status.link.too_old = said_.link.too_old;
  note_relay(status);
  return status;
}

}  // namespace picket::upstream

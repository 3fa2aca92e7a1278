// Where the tables say that a destination stands, and what its operator changes there.
#include "upstream/destination.h"

#include "buffer/free_memory.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"
#include "buffer/stamp.h"
#include "relay/protocol/content_encoding.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {

void Destination::load(const buffer::Tables& tables) {
  const auto snapshot = tables.snapshot();
  const Time now = clock_.now();
  const auto use = journal_.use();
  const auto cursor = buffer::find_row<schema::Cursor>(snapshot, buffer::Table::cursors, cursor_name(config_.name));
  const auto row = buffer::find_row<schema::Destination>(snapshot, buffer::Table::destinations, config_.name)
                       .value_or(schema::Destination());
  const bool by_lanes = cursor && lanes_hold(row.link(), cursor->next_sequence());
  auto next = by_lanes ? row.link().fresh_cursor() : cursor ? cursor->next_sequence() : config_.backfill ? use.first : use.next;
  if (!cursor) ledger_.touch();
  if (next > use.next) {
    log(Level::warning, "upstream", "cursor lies past the journal's end (an older journal was restored?); going on from there",
        {{"destination", config_.name}, {"cursor", next}, {"journal", use.next}});
    next = use.next;
    ledger_.touch();
  }
  window_ = Window(std::max<buffer::Sequence>(next, 1));

  lanes_ = Lanes(link_.newest_first());
  if (by_lanes) lanes_.load(row.link());
  if (by_lanes && row.link().fresh_cursor() > window_.cursor()) lanes_.forget_from(window_.cursor());
  instance_ = buffer::find_instance(snapshot);
  paused_ = row.paused();
  retry_generation_ = row.retry_generation();
  retry_quarantined_ = true;
  limits_.load(row, now);
  link_.load(row.link(), now);
  const auto micros = [](std::uint64_t stored) { return Flight::Micros(static_cast<Flight::Micros::rep>(stored)); };
  flight_.recall({static_cast<double>(row.link().way_requests()), micros(row.link().way_answer_us()), micros(row.link().way_connect_us())});
  look_whether_metered();
  look_at_link(now);
  for (const buffer::Sequence sequence : row.deferred()) {
    if (sequence < window_.cursor()) deferred_.add(sequence, {});
  }
  said_.reason = row.held_reason();
  said_.forwarded = row.forwarded();
  said_.quarantined = row.quarantined();
  said_.expired = row.expired();
  said_.not_routed = row.not_routed();
  said_.not_sampled = row.not_sampled();
  unsent_.load(row, now);
  tables_ = &tables;
  durable_cursor_ = cursor ? passed_cursor() : 0;
  started_ = row.started() != 0 ? row.started() : cursor ? 1 : window_.cursor();
  resend_ = Resend();
  resending_ = 0;
  resend_.take_up(row);
  retired_ = row.retired_ms() != 0;
  generation_ = row.generation();
  drain_until_ = row.drain_until();
  load_notes();
  forward_only_ = row.forward_only() && config_.forward_only();
  if (forward_only_) unwanted_.load(row);
  if (forward_only_ && !cursor && window_.cursor() > 1) unwanted_.note(1, window_.cursor() - 1);
  said_.forwarded_bytes = row.forwarded_bytes();
  said_.last_error = row.last_error();
  said_.link.outlived = row.link().outlived();
  said_.link.too_old = row.link().too_old();
  if (row.last_success_ms() != 0) said_.last_success = time_from_ms(row.last_success_ms());
  if (row.last_attempt_ms() != 0) said_.last_attempt = time_from_ms(row.last_attempt_ms());
}

// What is passed and not deferred is in the tables; a resend passes what it likes.
DeliveryNotes::Waits Destination::what_waits() const {
  return [this, passed = passed_cursor()](buffer::Sequence sequence) {
    return sequence >= passed || deferred_.contains(sequence) || resend_.under_way();
  };
}

void Destination::load_notes() {
  const auto known = notes_.load(config_.name + ' ' + std::to_string(generation_), what_waits());
  if (known > 0) log(Level::info, "upstream", "what was delivered just before a kill is known", {{"destination", config_.name}, {"envelopes", known}});
}

// As after a restart, because the operator has made the tables forget what was.
void Destination::start_anew(const buffer::Tables& tables) {
  retries_.clear();
  forget_batch();
  ledger_ = Ledger();
  deferred_ = Deferred();
  unsent_ = UnsentReports(config_.report_unsent);
  delivered_lately_.clear();
  unwanted_ = Unwanted();
  backoff_.reset();
  no_fresh_before_ = {};
  next_hand_over_ = {};
  drain_rate_ = {};
  hasten_lanes();
  at_end_ = false;
  held_key_.clear();
  said_ = {};
  said_.name = config_.name;
  if (relay_) relay_->hasten(true);
  doubted_.clear();
  load(tables);
}

void Destination::look_up(const buffer::Tables& tables) {
  const auto row = buffer::find_row<schema::Destination>(tables.snapshot(), buffer::Table::destinations, config_.name)
                       .value_or(schema::Destination());
  if (row.generation() != generation_ || (row.retired_ms() != 0) != retired_) {
    // What is under way belongs to the old one: pump() lets go of it first.
    stale_ = true;
    if (!under_way_.empty() || being_written_ != 0) return;
    stale_ = false;
    start_anew(tables);
    log(Level::info, "upstream", retired_ ? "retired" : "starts anew", {{"destination", config_.name}});
    return;
  }
  if (retired_) return;
  resend_.loosen();
  if (resend_.take_up(row)) ledger_.touch();
  // Each time: what was under way then may have failed since.
  if (resend_.under_way() && resend_.job().cancelled()) give_up_resend();
  end_resend();
  if (row.drain_until() != drain_until_) {
    drain_until_ = row.drain_until();
    log(Level::info, "upstream", drain_until_ != 0 ? "drains: takes nothing new" : "takes again what arrives", {{"destination", config_.name}});
  }
  look_whether_metered();
  estimate();
  const bool paused = row.paused();
  const std::uint64_t generation = row.retry_generation();
  // Handles keep buffers; a burst that is over needs none. Nor, while the upstream is away, what was read ahead for it: a single
  // failure is no absence.
  if (under_way_.empty()) {
    free_.clear();
    if (backoff_.failures() > 1 && std::exchange(has_read_, false)) {
      forget_batch();
      relay::free_zstd_encoder();
      give_back_free_memory();
    }
  }
  if (paused != paused_) {
    log(Level::info, "upstream", paused ? "paused" : "goes on", {{"destination", config_.name}});
    paused_ = paused;
    if (paused) forget_batch();
  }
  if (generation != retry_generation_) {
    retry_generation_ = generation;
    retry_quarantined_ = true;
    limits_.clear();
    deferred_.hasten();
    backoff_.reset();
    no_fresh_before_ = {};
    hasten_lanes();
    said_.reason.clear();
    if (relay_) relay_->hasten(true);
    ledger_.touch();
  }
  if (retry_quarantined_ && !ledger_.dirty() && being_written_ == 0) retry_quarantined(tables);
}

// Only while nothing is unwritten, so that a row taken up is not seen, and counted back, twice.
void Destination::retry_quarantined(const buffer::Tables& tables) {
  constexpr std::size_t at_once = 100;
  std::vector<schema::Quarantined> wanted;
  {
    const auto snapshot = tables.snapshot();
    const std::string prefix(buffer::Key().text(config_.name).view());
    auto cursor = snapshot.cursor(buffer::Table::quarantine);
    for (bool there = cursor.seek(prefix); there && cursor.key().starts_with(prefix) && wanted.size() < at_once;
         there = cursor.next()) {
      auto row = buffer::parse_row<schema::Quarantined>(cursor.value());
      if (row.retry_requested() && !deferred_.contains(row.sequence())) wanted.push_back(std::move(row));
    }
  }
  retry_quarantined_ = wanted.size() == at_once;
  for (const schema::Quarantined& row : wanted) {
    if (deferred_full()) {
      retry_quarantined_ = true;
      return;
    }
    const auto read = journal_.read_one(row.sequence());
    const bool there = read && !read->records.empty();
    auto parcel = there ? open_record(read->records.front(), routes_, journal_.reading_room())
                        : Result<Parcel>(Error{Fault::not_found, "no longer in the journal"});
    if (!parcel && parcel.error().fault == Fault::unavailable) {
      retry_quarantined_ = true;
      return;
    }
    if (!parcel) {
      log(Level::warning, "upstream", "quarantined envelope cannot be tried again",
          {{"destination", config_.name}, {"sequence", row.sequence()}, {"reason", parcel.error().detail}});
      continue;
    }
    ledger_.release(quarantined_label(row).value_or(
        row.status() == 0 ? unreadable_label(row.sequence(), row.project(), time_from_ms(row.at_ms())) : parcel->label));
    if (said_.quarantined > 0) --said_.quarantined;
    deferred_.add(row.sequence(), {Time{}, parcel->label});
  }
}

void Destination::on_clock_leap() {
  limits_.clear();
  deferred_.hasten();
  no_fresh_before_ = {};
  hasten_lanes();
  unsent_.on_clock_leap(clock_.now());
}

}  // namespace picket::upstream

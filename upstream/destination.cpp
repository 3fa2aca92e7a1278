#include "upstream/destination.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"
#include "buffer/stamp.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

constexpr std::size_t max_bytes_under_way = std::size_t{8} << 20;
constexpr std::size_t batch_bytes = std::size_t{512} << 10;
constexpr std::size_t batch_records = 128;
// Sent and not yet recorded as sent: what a crash may make us send twice.
constexpr std::uint64_t max_unwritten = 4'096;
// Of one destination before the others get their turn.
constexpr int steps_per_turn = 64;

std::size_t window_records(const DestinationConfig& config) {
  return std::clamp<std::size_t>(config.max_in_flight * 8, 64, 4'096);
}

relay::Coding parse_coding(const std::string& name) {
  if (name == "identity") return relay::Coding::identity;
  return name == "gzip" ? relay::Coding::gzip : relay::Coding::zstd;
}

Routes routes_of(const DestinationConfig& config) {
  auto routes = make_routes(config);
  if (!routes) std::abort();
  return *std::move(routes);
}

Selector selector_of(const DestinationConfig& config) {
  auto selector = Selector::make(config);
  if (!selector) std::abort();
  return *std::move(selector);
}

}  // namespace

Destination::Destination(DestinationConfig config, const buffer::Journal& journal, const Clock& clock)
    : config_(std::move(config)),
      routes_(routes_of(config_)),
      selector_(selector_of(config_)),
      journal_(journal),
      clock_(clock),
      unsent_(config_.report_unsent),
      backoff_(config_.retry_min, config_.retry_max, config_.max_in_flight),
      coding_(parse_coding(config_.compression)) {
  said_.name = config_.name;
}

void Destination::load(const buffer::Tables& tables) {
  const auto snapshot = tables.snapshot();
  const Time now = clock_.now();
  const auto use = journal_.use();
  const auto cursor = buffer::find_row<schema::Cursor>(snapshot, buffer::Table::cursors, cursor_name(config_.name));
  auto next = cursor ? cursor->next_sequence() : config_.backfill ? use.first : use.next;
  if (!cursor) ledger_.touch();
  if (next > use.next) {
    log(Level::warning, "upstream", "cursor lies past the journal's end (an older journal was restored?); going on from there",
        {{"destination", config_.name}, {"cursor", next}, {"journal", use.next}});
    next = use.next;
    ledger_.touch();
  }
  window_ = Window(std::max<buffer::Sequence>(next, 1));

  const auto row = buffer::find_row<schema::Destination>(snapshot, buffer::Table::destinations, config_.name)
                       .value_or(schema::Destination());
  instance_ = buffer::find_instance(snapshot);
  paused_ = row.paused();
  retry_generation_ = row.retry_generation();
  retry_quarantined_ = true;
  limits_.load(row, now);
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
  durable_cursor_ = cursor ? window_.cursor() : 0;
  started_ = row.started() != 0 ? row.started() : cursor ? 1 : window_.cursor();
  resend_ = Resend();
  resending_ = 0;
  resend_.take_up(row);
  retired_ = row.retired_ms() != 0;
  generation_ = row.generation();
  drain_until_ = row.drain_until();
  forward_only_ = row.forward_only() && config_.forward_only();
  if (forward_only_) unwanted_.load(row);
  if (forward_only_ && !cursor && window_.cursor() > 1) unwanted_.note(1, window_.cursor() - 1);
  said_.forwarded_bytes = row.forwarded_bytes();
  said_.last_error = row.last_error();
  if (row.last_success_ms() != 0) said_.last_success = time_from_ms(row.last_success_ms());
  if (row.last_attempt_ms() != 0) said_.last_attempt = time_from_ms(row.last_attempt_ms());
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
  at_end_ = false;
  held_key_.clear();
  said_ = {};
  said_.name = config_.name;
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
  if (resend_.take_up(row)) {
    ledger_.touch();
    if (resend_.job().cancelled()) give_up_resend();
  }
  end_resend();
  if (row.drain_until() != drain_until_) {
    drain_until_ = row.drain_until();
    log(Level::info, "upstream", drain_until_ != 0 ? "drains: takes nothing new" : "takes again what arrives", {{"destination", config_.name}});
  }
  const bool paused = row.paused();
  const std::uint64_t generation = row.retry_generation();
  // Handles keep buffers; a burst that is over needs none.
  if (under_way_.empty()) free_.clear();
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
    said_.reason.clear();
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
    if (deferred_.full()) {
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
  unsent_.on_clock_leap(clock_.now());
}

void Destination::forget_batch() {
  batch_ = {};
  next_in_batch_ = 0;
}

std::optional<Time> Destination::all_limited_until(Time now) const {
  return routes_.only_target() ? limits_.all_until(*routes_.only_target(), now) : std::nullopt;
}

bool Destination::may_start(Time now) const {
  return !paused_ && !backoff_.waits(Steady::now()) && under_way_.size() < backoff_.allowance() &&
         bytes_under_way_ < max_bytes_under_way && ledger_.settled() + being_written_ < max_unwritten &&
         !all_limited_until(now);
}

// The window may hold as many again that are on their way into the list.
bool Destination::deferred_full() const {
  return deferred_.size() + window_.size() >= Deferred::capacity;
}

bool Destination::fresh_may_go(Time now) const {
  const bool more = !at_end_ || window_.end() < batch_.next;
  return more && window_.size() < window_records(config_) && now >= no_fresh_before_ &&
         Steady::now() >= journal_failed_until_;
}

void Destination::pump(CURLM* multi) {
  if (stale_) abandon(multi);
  if (stale_ || retired_) return;
  if (limits_.expire(clock_.now())) ledger_.touch();
  if (!deferred_full()) no_fresh_before_ = {};
  for (int step = 0; step < steps_per_turn && may_start(clock_.now()); ++step) {
    if (!ship_next(multi)) return;
  }
}

// What has failed often goes last, so that an envelope that only the upstream cannot stand does not
// keep others from showing that the upstream is well.
bool Destination::ship_next(CURLM* multi) {
  return ship_retry(multi, patience) || ship_deferred(multi) || ship_fresh(multi) || ship_report(multi) ||
         ship_resend(multi) || ship_retry(multi, UINT_MAX);
}

bool Destination::ship_retry(CURLM* multi, unsigned below_attempts) {
  if (retries_.empty()) return false;
  const auto now = Steady::now();
  auto chosen = retries_.end();
  for (auto it = retries_.begin(); it != retries_.end(); ++it) {
    if (it->not_before > now || it->attempts >= below_attempts) continue;
    if (chosen == retries_.end() || it->attempts < chosen->attempts) chosen = it;
  }
  if (chosen == retries_.end()) return false;
  Shipment shipment = std::move(*chosen);
  retries_.erase(chosen);
  return ship_again(multi, std::move(shipment));
}

bool Destination::ship_deferred(CURLM* multi) {
  auto due = deferred_.start_due(clock_.now());
  if (!due) return false;
  Shipment shipment;
  shipment.label = std::move(due->second.label);
  shipment.opened = shipment.label.sequence != 0;
  shipment.label.sequence = due->first;
  shipment.deferred = true;
  shipment.attempts = due->second.attempts;
  shipment.successes_before = successes_;
  return ship_again(multi, std::move(shipment));
}

bool Destination::ship_again(CURLM* multi, Shipment shipment) {
  if (shipment.opened) {
    if (const auto until = limits_.waits_until(shipment.label, clock_.now())) {
      put_off(std::move(shipment), *until);
      return true;
    }
  }
  const buffer::Sequence sequence = shipment.label.sequence;
  const auto read = journal_.read_one(sequence);
  if (read && !read->records.empty()) {
    ship(multi, read->records.front(), std::move(shipment));
    return true;
  }
  const auto fault = read ? Fault::corrupt : read.error().fault;
  if (fault == Fault::not_found) {
    Settled settled;
    settled.fate = Fate::expired;
    settled.label = shipment.opened ? shipment.label : unreadable_label(sequence, 0, clock_.now());
    settle(shipment, std::move(settled));
    return true;
  }
  if (fault == Fault::corrupt) {
    refuse_unreadable(std::move(shipment), "damaged in the journal");
    return true;
  }
  wait_for_room(std::move(shipment));
  return false;
}

// The journal, or the room for a large envelope, is not to be had just now.
void Destination::wait_for_room(Shipment shipment) {
  journal_failed_until_ = Steady::now() + std::chrono::seconds(1);
  shipment.not_before = journal_failed_until_;
  if (shipment.deferred) {
    put_off(std::move(shipment), clock_.now() + std::chrono::seconds(1));
  } else {
    retries_.push_back(std::move(shipment));
  }
}

bool Destination::load_batch() {
  forget_batch();
  auto read = journal_.read(window_.end(), batch_bytes, batch_records);
  if (!read) {
    log(Level::error, "upstream", "the journal cannot be read", {{"destination", config_.name}, {"reason", read.error().detail}});
    journal_failed_until_ = Steady::now() + std::chrono::seconds(1);
    return false;
  }
  batch_ = *std::move(read);
  std::sort(batch_.damaged.begin(), batch_.damaged.end());
  // A journal that was emptied behind our back gives nothing to read where we stand.
  batch_.next = std::max(batch_.next, journal_.use().first);
  at_end_ = batch_.next <= window_.end();
  return !at_end_;
}

// Opens the window for what comes next and settles at once what is damaged, recycled or no envelope.
// Nothing when that was the case, else the record to send.
const buffer::StoredRecord* Destination::next_record() {
  const buffer::Sequence next = window_.end();
  auto& records = batch_.records;
  while (next_in_batch_ < records.size() && records[next_in_batch_].sequence < next) ++next_in_batch_;
  const bool more = next_in_batch_ < records.size();
  if (more && records[next_in_batch_].sequence == next) {
    window_.open();
    const buffer::StoredRecord& record = records[next_in_batch_++];
    if (record.kind == buffer::RecordKind::envelope) return &record;
    Shipment shipment;
    shipment.label.sequence = next;
    settle(shipment, {});
    return nullptr;
  }
  const auto damaged = std::lower_bound(batch_.damaged.begin(), batch_.damaged.end(), next);
  Shipment shipment;
  shipment.label = unreadable_label(next, 0, clock_.now());
  if (damaged != batch_.damaged.end() && *damaged == next) {
    window_.open();
    refuse_unreadable(std::move(shipment), "damaged in the journal");
    return nullptr;
  }
  auto gap_end = more ? records[next_in_batch_].sequence : batch_.next;
  if (damaged != batch_.damaged.end()) gap_end = std::min(gap_end, *damaged);
  Settled gap;
  gap.fate = Fate::expired;
  gap.records = gap_end - next;
  gap.label = shipment.label;
  gap.label.counts.front().quantity = gap.records;
  log(Level::error, "upstream", "records were recycled before they could be forwarded",
      {{"destination", config_.name}, {"records", gap.records}});
  window_.open(gap.records);
  settle(shipment, std::move(gap));
  return nullptr;
}

bool Destination::ship_fresh(CURLM* multi) {
  if (!fresh_may_go(clock_.now())) return false;
  if (window_.end() >= batch_.next && !load_batch()) return false;
  const buffer::StoredRecord* record = next_record();
  if (record == nullptr) return true;
  Shipment shipment;
  shipment.label.sequence = record->sequence;
  ship(multi, *record, std::move(shipment));
  return true;
}

void Destination::ship(CURLM* multi, const buffer::StoredRecord& record, Shipment shipment) {
  auto parcel = open_record(record, routes_, journal_.reading_room());
  const bool taken = shipment.resend || takes(record.sequence);
  if (parcel && !taken) Selector::leave_all_out(*parcel, Fate::not_routed);
  const auto selected = !parcel ? Result<void>(parcel.error()) : taken ? selector_.select(*parcel) : Result<void>();
  if (!selected && selected.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!selected) {
    shipment.label = unreadable_label(record.sequence, record.project, clock_.now());
    return refuse_unreadable(std::move(shipment), selected.error().detail);
  }
  shipment.label = parcel->label;
  shipment.opened = true;
  if (shipment.label.nothing_goes()) return leave_out(shipment);
  if (const auto until = limits_.waits_until(shipment.label, clock_.now())) {
    return put_off(std::move(shipment), *until);
  }
  if (!note_way(*parcel, instance_)) {
    return refuse(shipment, 0, "it has been sent from here before: the destinations lead in a circle");
  }
  send(multi, *parcel, std::move(shipment));
}

void Destination::send(CURLM* multi, const Parcel& parcel, Shipment shipment) {
  const Time now = clock_.now();
  shipment.epoch = backoff_.epoch();
  shipment.retry_generation = retry_generation_;
  const Packing packing{coding_, static_cast<int>(config_.compression_level), takes_stored_};
  auto request = render_request(parcel, now, packing);
  if (!request && shipment.report) return unsent_.put_back(now);
  if (!request && request.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!request) return refuse_unreadable(std::move(shipment), request.error().detail);
  shipment.coding = request->coding;
  std::unique_ptr<Transfer> transfer;
  if (free_.empty()) {
    transfer = std::make_unique<Transfer>(config_, *this);
  } else {
    transfer = std::move(free_.back());
    free_.pop_back();
  }
  Transfer* const started = transfer.get();
  bytes_under_way_ += request->body_bytes();
  said_.last_attempt = now;
  started->start(multi, *std::move(request));
  under_way_.emplace(started, UnderWay{std::move(transfer), std::move(shipment)});
}

void Destination::abandon(CURLM* multi) {
  for (auto& [transfer, under_way] : under_way_) transfer->abandon(multi);
  under_way_.clear();
  bytes_under_way_ = 0;
}

std::optional<Duration> Destination::wakes_in() const {
  if (paused_ || retired_ || stale_) return std::nullopt;
  const auto steady = Steady::now();
  const Time now = clock_.now();
  if (backoff_.waits(steady)) return backoff_.left(steady);
  if (const auto until = all_limited_until(now)) return *until - now;
  if (!may_start(now)) return std::nullopt;
  if (fresh_may_go(now)) return Duration(0);
  std::optional<Duration> least;
  const auto consider = [&](Duration wait) {
    wait = std::max(wait, Duration(0));
    least = std::min(least.value_or(wait), wait);
  };
  for (const Shipment& shipment : retries_) consider(std::chrono::ceil<Duration>(shipment.not_before - steady));
  if (const auto look = deferred_.next_look()) consider(std::max(*look, now) - now);
  if (journal_failed_until_ > steady) consider(std::chrono::ceil<Duration>(journal_failed_until_ - steady));
  if (no_fresh_before_ > now) consider(no_fresh_before_ - now);
  if (resend_may_go() || (resend_.under_way() && resend_.job().next() >= resend_.job().end())) consider(Duration(0));
  if (const auto look = unsent_.next_look()) consider(std::max(*look, now) - now);
  return least;
}

}  // namespace picket::upstream

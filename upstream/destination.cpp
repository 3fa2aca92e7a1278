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
// What a metered link does not carry is looked at again at its end, and this often.
constexpr Duration metered_look = std::chrono::hours(1);

relay::Coding parse_coding(const std::string& name) {
  if (name == "identity") return relay::Coding::identity;
  return name == "gzip" ? relay::Coding::gzip : relay::Coding::zstd;
}

Routes routes_of(const DestinationConfig& config) {
  auto routes = make_routes(config);
  if (!routes) std::abort();
  return *std::move(routes);
}

}  // namespace

Destination::Destination(DestinationConfig config, const buffer::Journal& journal, const Clock& clock)
    : config_(std::move(config)),
      routes_(routes_of(config_)),
      journal_(journal),
      clock_(clock),
      link_(config_.link),
      lanes_(link_.newest_first()),
      backoff_(config_.retry_min, config_.retry_max, config_.max_in_flight),
      coding_(parse_coding(config_.compression)) {
  said_.name = config_.name;
}

std::size_t Destination::window_records() const {
  return std::clamp<std::size_t>(config_.max_in_flight * 8, 64, 4'096);
}

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
  instance_ = buffer::find_instance(snapshot);
  paused_ = row.paused();
  retry_generation_ = row.retry_generation();
  retry_quarantined_ = true;
  limits_.load(row, now);
  link_.load(row.link(), now);
  look_whether_metered();
  look_at_link(now);
  for (const buffer::Sequence sequence : row.deferred()) {
    if (sequence < window_.cursor()) deferred_.add(sequence, {});
  }
  said_.reason = row.held_reason();
  said_.forwarded = row.forwarded();
  said_.quarantined = row.quarantined();
  said_.expired = row.expired();
  said_.forwarded_bytes = row.forwarded_bytes();
  said_.last_error = row.last_error();
  said_.link.outlived = row.link().outlived();
  said_.link.too_old = row.link().too_old();
  if (row.last_success_ms() != 0) said_.last_success = time_from_ms(row.last_success_ms());
  if (row.last_attempt_ms() != 0) said_.last_attempt = time_from_ms(row.last_attempt_ms());
}

void Destination::look_up(const buffer::Tables& tables) {
  bool paused = false;
  std::uint64_t generation = 0;
  {
    const auto snapshot = tables.snapshot();
    const auto row = buffer::find_row<schema::Destination>(snapshot, buffer::Table::destinations, config_.name);
    if (row) paused = row->paused();
    if (row) generation = row->retry_generation();
  }
  look_whether_metered();
  estimate();
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
    hasten_lanes();
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
    const auto parcel = there ? open_record(read->records.front(), routes_, journal_.reading_room())
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
    ledger_.release(row.status() == 0 ? unreadable_label(row.sequence(), row.project(), time_from_ms(row.at_ms()))
                                      : parcel->label);
    if (said_.quarantined > 0) --said_.quarantined;
    deferred_.add(row.sequence(), {Time{}, parcel->label});
  }
}

void Destination::on_clock_leap() {
  limits_.clear();
  deferred_.hasten();
  no_fresh_before_ = {};
  hasten_lanes();
}

void Destination::forget_batch() {
  batch_ = {};
  next_in_batch_ = 0;
  lane_batch_ = {};
}

std::optional<Time> Destination::all_limited_until(Time now) const {
  return routes_.only_target() ? limits_.all_until(*routes_.only_target(), now) : std::nullopt;
}

bool Destination::may_start(Time now) const {
  return !paused_ && !backoff_.waits(Steady::now()) && under_way_.size() < backoff_.allowance() &&
         bytes_under_way_ < max_bytes_under_way && ledger_.settled() + being_written_ < max_unwritten &&
         !all_limited_until(now) && !link_.wait(now, Steady::now(), unsent_bytes());
}

// The window may hold as many again that are on their way into the list.
bool Destination::deferred_full() const {
  return deferred_.size() + window_.size() >= Deferred::capacity;
}

bool Destination::fresh_may_go(Time now) const {
  const bool more = !at_end_ || window_.end() < batch_.next;
  return more && lanes_.empty() && !link_.restricted() && window_.size() < window_records() && now >= no_fresh_before_ &&
         Steady::now() >= journal_failed_until_;
}

void Destination::pump(CURLM* multi) {
  if (limits_.expire(clock_.now())) ledger_.touch();
  look_at_link(clock_.now());
  keep_pace();
  consider_lanes();
  if (!deferred_full()) no_fresh_before_ = {};
  for (int step = 0; step < steps_per_turn && may_start(clock_.now()); ++step) {
    if (!ship_next(multi)) return;
  }
}

// What has failed often goes last, so that an envelope that only the upstream cannot stand does not
// keep others from showing that the upstream is well.
bool Destination::ship_next(CURLM* multi) {
  return ship_retry(multi, patience) || ship_deferred(multi) || ship_lane(multi) || ship_fresh(multi) || ship_retry(multi, UINT_MAX);
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

// By the upstream's limits, or because a metered link does not carry it.
std::optional<Time> Destination::waits_until(const Label& label) const {
  const Time now = clock_.now();
  if (!link_.allows(label.send_class)) return now + metered_look;
  return limits_.waits_until(label, now);
}

bool Destination::ship_again(CURLM* multi, Shipment shipment) {
  if (shipment.opened) {
    if (expire(shipment)) return true;
    if (const auto until = waits_until(shipment.label)) {
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
  if (!parcel && parcel.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!parcel) {
    shipment.label = unreadable_label(record.sequence, record.project, clock_.now());
    return refuse_unreadable(std::move(shipment), parcel.error().detail);
  }
  shipment.label = parcel->label;
  shipment.opened = true;
  if (expire(shipment)) return;
  if (const auto until = waits_until(shipment.label)) return put_off(std::move(shipment), *until);
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
  if (!request && request.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!request) return refuse_unreadable(std::move(shipment), request.error().detail);
  if (!admit(shipment, *request)) return;
  shipment.coding = request->coding;
  std::unique_ptr<Transfer> transfer;
  if (free_.empty()) {
    transfer = std::make_unique<Transfer>(config_, *this, *meter_);
  } else {
    transfer = std::move(free_.back());
    free_.pop_back();
  }
  Transfer* const started = transfer.get();
  bytes_under_way_ += request->body_bytes();
  const std::uint64_t reserved = request->wire_bytes();
  link_.begin(reserved, request->head_bytes(), Steady::now());
  said_.last_attempt = now;
  started->start(multi, *std::move(request));
  under_way_.emplace(started, UnderWay{std::move(transfer), std::move(shipment), reserved});
}

void Destination::abandon(CURLM* multi) {
  ending_ = true;
  for (auto& [transfer, under_way] : under_way_) {
    release(*transfer, under_way);
    transfer->abandon(multi);
  }
  under_way_.clear();
  next_meter_ = {};
  look_at_link(clock_.now());
  // What was granted and not used is given back.
  if (config_.link.max_bytes_per_day > 0 || config_.link.max_bytes_per_month > 0) ledger_.touch();
  bytes_under_way_ = 0;
}

std::optional<Duration> Destination::wakes_in() const {
  const auto start = starts_in(clock_.now());
  if (stopped_.empty()) return start;
  const auto go_on = link_.ready_in(Steady::now());
  return std::min(start.value_or(go_on), go_on);
}

std::optional<Duration> Destination::starts_in(Time now) const {
  if (paused_) return std::nullopt;
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
  return least;
}

}  // namespace picket::upstream

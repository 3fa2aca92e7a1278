#include "upstream/destination.h"

#include "buffer/logger.h"

#include <algorithm>
#include <utility>

namespace picket::upstream {
namespace {

constexpr std::size_t max_bytes_under_way = std::size_t{8} << 20;
constexpr std::size_t batch_bytes = std::size_t{512} << 10;
constexpr std::size_t batch_records = 128;
// Sent and not yet recorded as sent: what a crash may make us send twice. More only where the cursor may pass more at once.
constexpr std::size_t max_unwritten = 4'096;
// Of one destination before the others get their turn.
constexpr int steps_per_turn = 64;
constexpr int batched_steps_per_turn = 512;
// Under way in batches: as many as a link of some Mbit/s carries in 800 ms; where it carries more, twice what 20 Mbit/s
// carry, since what is behind a batch that takes longer settles before it.
constexpr std::size_t batched_window_records = 2'000;
constexpr std::size_t wide_window_records = 8'000;
// What a metered link does not carry is looked at again at its end, and this often.
constexpr Duration metered_look = std::chrono::hours(1);

relay::Coding parse_coding(const std::string& name) {
  if (name == "identity") return relay::Coding::identity;
  if (name == "br") return relay::Coding::br;
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

Destination::Destination(DestinationConfig config, const buffer::Journal& journal, const Clock& clock, std::filesystem::path notes_file)
    : config_(std::move(config)),
      routes_(routes_of(config_)),
      selector_(selector_of(config_)),
      journal_(journal),
      clock_(clock),
      link_(config_.link),
      notes_(std::move(notes_file)),
      lanes_(link_.newest_first()),
      unsent_(config_.report_unsent),
      flight_(config_.max_in_flight),
      backoff_(config_.retry_min, config_.retry_max, flight_.far()),
      probe_(config_, *meter_),
      relay_(make_relay()),
      coding_(parse_coding(config_.compression)) {
  said_.name = config_.name;
}

std::size_t Destination::window_records() const {
  const auto single = std::clamp<std::size_t>(std::max(flight_.near() * 8, flight_.far() * 2), 64, 4'096);
  if (!batching()) return single;
  return std::max(single, pace_.is_wide() ? wide_window_records : batched_window_records);
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
  return !paused_ && !waits_for_relay() && !backoff_.waits(Steady::now()) && has_room() && ledger_.settled() + being_written_ < std::max(max_unwritten, window_records()) &&
         !all_limited_until(now) && !link_.wait(now, Steady::now(), unsent_bytes());
}

// For one more request. Batches have a measure of their own: how long they take says nothing of single ones.
bool Destination::has_room() const {
  const auto requests = under_way_.size();
  const bool fits = batching() ? requests < flight_.near() && pace_.may_begin(batch_bytes_) : flight_.has_room(requests);
  return fits && requests < backoff_.allowance() && bytes_under_way_ < max_bytes_under_way;
}

// With what the cursor has not passed yet.
bool Destination::deferred_full() const {
  return deferred_.size() + window_.deferred() >= Deferred::capacity;
}

bool Destination::fresh_may_go(Time now) const {
  const bool more = !at_end_ || window_.end() < batch_.next;
  return more && lanes_.empty() && !link_.restricted() && window_.size() < window_records() && now >= no_fresh_before_ &&
         Steady::now() >= journal_failed_until_;
}

void Destination::pump(CURLM* multi) {
  if (stale_) abandon(multi);
  if (stale_ || retired_) return;
  if (limits_.expire(clock_.now())) ledger_.touch();
  look_at_link(clock_.now());
  keep_pace();
  probe(multi);
  pump_relay(multi);
  consider_lanes();
  if (!deferred_full()) no_fresh_before_ = {};
  const int steps = batching() ? batched_steps_per_turn : steps_per_turn;
  bool more = true;
  for (int step = 0; step < steps && more && may_start(clock_.now()); ++step) more = ship_next(multi);
  send_batch(multi);
  if (more && !batching() && !flight_.has_room(under_way_.size())) flight_.note_full();
}

// What has failed often goes last, so that an envelope that only the upstream cannot stand does not
// keep others from showing that the upstream is well.
bool Destination::ship_next(CURLM* multi) {
  return ship_retry(multi, patience) || ship_deferred(multi) || ship_lane(multi) || ship_fresh(multi) || ship_report(multi) ||
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

// By the upstream's limits, or because a metered link does not carry it.
std::optional<Time> Destination::waits_until(const Label& label) const {
  const Time now = clock_.now();
  if (!link_.allows(label.send_class)) return now + metered_look;
  return limits_.waits_until(label, now);
}

bool Destination::ship_again(CURLM* multi, Shipment shipment) {
  // What has expired is read once more, for whom to tell.
  if (shipment.opened && expiry_of(shipment) == Link::Expiry::none) {
    if (const auto until = waits_until(shipment.label)) {
      put_off(std::move(shipment), *until);
      return true;
    }
  }
  const buffer::Sequence sequence = shipment.label.sequence;
  has_read_ = true;
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
  has_read_ = true;
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

// With what is for this destination; all of it is left out when it does not take the record.
Result<Parcel> Destination::open(const buffer::StoredRecord& record, bool resend) const {
  auto parcel = open_record(record, routes_, journal_.reading_room());
  if (!parcel) return parcel;
  if (!resend && !takes(record.sequence)) {
    Selector::leave_all_out(*parcel, Fate::not_routed);
    return parcel;
  }
  if (record.dropped()) {
    selector_.select_unseen(*parcel);
    return parcel;
  }
  if (const auto selected = selector_.select(*parcel); !selected) return selected.error();
  if (!resend && !parcel->label.nothing_goes() && link_.judges_by_payload(parcel->label.send_class)) {
    if (const auto read = read_happened(*parcel); !read) return read.error();
  }
  return parcel;
}

std::uint64_t Destination::note_of(const buffer::StoredRecord& record, const Shipment& shipment) const {
  return notes_.check_of(record, shipment.resend ? resend_.job().id() : 0);
}

void Destination::ship(CURLM* multi, const buffer::StoredRecord& record, Shipment shipment) {
  auto parcel = open(record, shipment.resend);
  ship_opened(multi, record, std::move(parcel), std::move(shipment));
}

void Destination::ship_opened(CURLM* multi, const buffer::StoredRecord& record, Result<Parcel> parcel, Shipment shipment) {
  if (!parcel && parcel.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!parcel) {
    shipment.label = unreadable_label(record.sequence, record.project, clock_.now());
    return refuse_unreadable(std::move(shipment), parcel.error().detail);
  }
  shipment.label = parcel->label;
  shipment.label.note = note_of(record, shipment);
  shipment.opened = true;
  if (shipment.label.nothing_goes()) return leave_out(shipment);
  if (notes_.take(record.sequence, shipment.label.note)) return settle_delivered(shipment, 0);
  if (record.dropped()) return settle_expired(shipment, parcel->key);
  if (expire(shipment, parcel->key)) return;
  if (const auto until = waits_until(shipment.label)) return put_off(std::move(shipment), *until);
  if (!note_way(*parcel, instance_)) {
    return refuse(shipment, 0, "it has been sent from here before: the destinations lead in a circle");
  }
  give_record_id(*parcel, instance_);
  if (awaits_config(*parcel, shipment)) return;
  send(multi, *parcel, std::move(shipment));
}

void Destination::send(CURLM* multi, const Parcel& parcel, Shipment shipment) {
  const Time now = clock_.now();
  shipment.epoch = backoff_.epoch();
  shipment.retry_generation = retry_generation_;
  if (pack(multi, parcel, shipment)) return;
  if (link_.capped()) send_batch(multi);  // what it takes is reserved first
  const Packing packing{coding_, static_cast<int>(config_.compression_level), takes_stored_};
  auto request = render_request(parcel, now, packing);
  if (!request && shipment.report) return unsent_.put_back(now);
  if (!request && request.error().fault == Fault::unavailable) return wait_for_room(std::move(shipment));
  if (!request) return refuse_unreadable(std::move(shipment), request.error().detail);
  sign(*request, shipment);
  if (!admit(shipment, *request)) return;
  shipment.coding = request->coding;
  start(multi, *std::move(request), UnderWay{{}, nullptr, std::move(shipment)});
}

void Destination::start(CURLM* multi, Request request, UnderWay under_way) {
  std::unique_ptr<Transfer> transfer;
  if (free_.empty()) {
    transfer = std::make_unique<Transfer>(config_, *this, *meter_);
  } else {
    transfer = std::move(free_.back());
    free_.pop_back();
  }
  Transfer* const started = transfer.get();
  bytes_under_way_ += request.body_bytes();
  under_way.bytes = request.wire_bytes();
  under_way.began = Steady::now();
  link_.begin(under_way.bytes, request.head_bytes(), under_way.began);
  said_.last_attempt = clock_.now();
  started->start(multi, std::move(request), way(under_way.began));
  under_way.transfer = std::move(transfer);
  under_way_.emplace(started, std::move(under_way));
}

void Destination::end(CURLM* multi) {
  ending_ = true;
  abandon(multi);
}

void Destination::abandon(CURLM* multi) {
  probe_.end(multi);
  end_relay_query(multi);
  for (auto& [transfer, under_way] : under_way_) {
    release(*transfer, under_way);
    transfer->abandon(multi);
  }
  under_way_.clear();
  next_link_look_ = next_meter_ = {};
  look_at_link(clock_.now());
  // What was granted and not used is given back.
  if (config_.link.max_bytes_per_day > 0 || config_.link.max_bytes_per_month > 0) ledger_.touch();
  bytes_under_way_ = batch_bytes_ = 0;
}

}  // namespace picket::upstream

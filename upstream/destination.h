// One destination: what it still has to send, in which order, when, and what its answers lead to.
//
//   journal ─► batch ─► shipment ─► transfer ─► answer ─┬─ delivered, refused ─► window ─► ledger
//                          ▲                            ├─ failed ──────► retries
//                 │        └──── retries, deferred ◄────┴─ limited, or failing alone ─► deferred
//                 │                 ▲
//                 │    long backlog ─► lanes, one a class
//                 └─ not wanted there ─► window
//
// INVARIANT  Memory is bounded whatever waits: bodies exist only while they are sent.
// INVARIANT  Every record read is settled in the window once; the ledger counts what the cursor passed.
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/journal.h"
#include "buffer/tables.h"
#include "relay/protocol/envelope_batch.h"
#include "upstream/backoff.h"
#include "upstream/batch_offers.h"
#include "upstream/batch_pace.h"
#include "upstream/config.h"
#include "upstream/deferred.h"
#include "upstream/delivery_notes.h"
#include "upstream/flight.h"
#include "upstream/lanes.h"
#include "upstream/ledger.h"
#include "upstream/link.h"
#include "upstream/link_probe.h"
#include "upstream/limits.h"
#include "upstream/relay_session.h"
#include "upstream/resend.h"
#include "upstream/routes.h"
#include "upstream/selector.h"
#include "upstream/status.h"
#include "upstream/transfer.h"
#include "upstream/unsent_reports.h"
#include "upstream/unwanted.h"
#include "upstream/window.h"
#include "upstream/wire_meter.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace picket::upstream {
class Destination {
 public:
  using Steady = std::chrono::steady_clock;

  // REQUIRES: `config` is checked. `notes_file` is where deliveries are noted (DeliveryNotes); empty: nowhere.
  Destination(DestinationConfig config, const buffer::Journal& journal, const Clock& clock, std::filesystem::path notes_file);

  // Where the tables say it stands; a new name starts at the journal's oldest or next record.
  void load(const buffer::Tables& tables);
  // What the operator changed meanwhile: pause, resume, drain, retire, quarantined envelopes to be tried again.
  void look_up(const buffer::Tables& tables);

  // Starts what can be started now.
  void pump(CURLM* multi);
  void on_finished(CURLM* multi, Transfer& transfer, CURLcode code);
  // What is still under way counts as not sent.
  void abandon(CURLM* multi);
  // Likewise, and nothing starts any more.
  void end(CURLM* multi);
  // Of a body of `transfer` so many bytes may leave now; 0: it is told to go on later.
  std::uint64_t grant(Transfer& transfer, std::uint64_t wanted);
  // Lets bodies under way go on as the pace allows.
  void keep_pace();
  // The operator's signal; a file may say the same.
  void set_metered(bool by_signal) { metered_by_signal_ = by_signal; }
  // New records may have arrived.
  void on_commit() { at_end_ = false; }
  // The clock was set back: deadlines drawn from it mean nothing any more.
  void on_clock_leap();

  // Until pump() can do something without an event from outside; nothing when it cannot.
  std::optional<Duration> wakes_in() const;
  bool busy() const { return !under_way_.empty(); }

  // What was delivered since is noted: before anything else is waited for.
  void flush_notes() { notes_.flush(); }

  bool dirty() const { return (ledger_.dirty() || link_.dirty()) && !retired_ && !stale_; }
  Change take_change();
  void on_written();

  // Without the backlog: see measure_backlog().
  DestinationStatus status() const;
  // Behind the cursor; 0 when nothing waits there.
  buffer::Sequence oldest_behind() const;
  // Counts on while connections are kept, so it must outlive them.
  const std::shared_ptr<WireMeter>& meter() const { return meter_; }

 private:
  // Failures of one envelope, while others succeed, until it is set aside.
  static constexpr unsigned patience = 3;

  // An envelope on its way; its bytes are read again for each attempt.
  struct Shipment {
    Label label;
    bool opened = false;    // the label says more than the sequence
    bool deferred = false;  // from the deferred list, behind the cursor
    bool report = false;    // a client report of ours: no record
    bool resend = false;    // of the resend: neither in the window nor in the ledger
    unsigned attempts = 0;  // that failed
    std::uint64_t successes_before = 0;  // the destination's, at the first failure
    Steady::time_point not_before{};
    relay::Coding coding = relay::Coding::identity;
    std::uint64_t epoch = 0;  // of the backoff, when it was sent
    std::uint64_t retry_generation = 0;  // the destination's, when it was sent
    std::uint64_t registration = 0;      // likewise, the generation of it
  };
  // Shipments that go in one request, in the order of its frames.
  struct Batch {
    std::string origin;
    std::vector<Shipment> shipments;
    std::vector<std::size_t> bytes;  // of each, unpacked
    std::size_t all_bytes = 0;
    bool full = false;
  };
  struct UnderWay {
    Steady::time_point began{};
    std::unique_ptr<Transfer> transfer;
    Shipment shipment;  // of a batch only its target's origin
    std::uint64_t bytes = 0;  // that the link has reserved
    std::unique_ptr<Batch> batch = {};  // none: the shipment goes by itself
  };

  // Sending: destination.cpp, and when: destination_wakes.cpp. Each ship_…() is true when it got something out of the way.
  bool may_start(Time now) const;
  bool has_room() const;
  std::optional<Time> all_limited_until(Time now) const;
  bool fresh_may_go(Time now) const;
  std::optional<Time> waits_until(const Label& label) const;
  bool deferred_full() const;
  bool ship_next(CURLM* multi);
  bool ship_retry(CURLM* multi, unsigned below_attempts);
  bool ship_deferred(CURLM* multi);
  bool ship_fresh(CURLM* multi);
  bool ship_report(CURLM* multi);
  bool ship_resend(CURLM* multi);
  bool resend_may_go() const;
  void give_up_resend();
  bool end_resend();
  void settle_resent(buffer::Sequence sequence, Fate fate);
  bool ship_again(CURLM* multi, Shipment shipment);
  void wait_for_room(Shipment shipment);
  Result<Parcel> open(const buffer::StoredRecord& record, bool resend) const;
  void ship(CURLM* multi, const buffer::StoredRecord& record, Shipment shipment);
  void ship_opened(CURLM* multi, const buffer::StoredRecord& record, Result<Parcel> parcel, Shipment shipment);
  bool load_batch();
  const buffer::StoredRecord* next_record();
  void send(CURLM* multi, const Parcel& parcel, Shipment shipment);
  void start(CURLM* multi, Request request, UnderWay under_way);
  void forget_batch();
  std::optional<Duration> starts_in(Time now) const;

  // Many in one request, to a Picket that takes them: destination_batches.cpp.
  bool batching() const { return offers_.any() && config_.batch == "auto" && !relay_; }
  bool may_pack(const Parcel& parcel, const Shipment& shipment) const;
  bool pack(CURLM* multi, const Parcel& parcel, Shipment& shipment);
  void send_batch(CURLM* multi);
  void on_batch_answered(Batch& batch, const Answer& answer, const BatchPace::Ended& ended, std::uint64_t bytes);
  void settle_batch(Batch& batch, const Answer& answer, std::uint64_t bytes);
  void refuse_batch(Batch& batch, const Answer& answer);
  void take_back_batch(Batch& batch);
  void take_back(Shipment shipment);

  // What the tables say: destination_stored.cpp.
  DeliveryNotes::Waits what_waits() const;
  void load_notes();
  void start_anew(const buffer::Tables& tables);
  void retry_quarantined(const buffer::Tables& tables);

  // A backlog by classes: destination_lanes.cpp.
  enum class Look { shipped, nothing_yet, waits };
  struct LaneBatch {
    SendClass of = SendClass::other;
    SequenceRange covers;
    buffer::ReadBatch records;
    std::size_t step = 1;  // records read at once where the newest go first
  };
  std::size_t window_records() const;
  bool deferred_crowded() const;
  bool wants_lanes(std::uint64_t backlog) const;
  void consider_lanes();
  void settle_lost();
  bool lane_may_go(SendClass send_class, Time now) const;
  bool lanes_may_go() const;
  bool ship_lane(CURLM* multi);
  bool look_along_lanes(CURLM* multi);
  bool load_lane_batch(SendClass send_class);
  Look look_along(CURLM* multi, SendClass send_class);
  SequenceRange hole_at(buffer::Sequence sequence, bool newest) const;
  void pass_unreadable(SendClass send_class, buffer::Sequence sequence, bool newest);
  Look ship_from_lane(CURLM* multi, const buffer::StoredRecord& record, SendClass send_class);
  void hasten_lanes();

  // Whether it can be reached at all: destination_reach.cpp.
  void probe(CURLM* multi);
  bool probes() const;
  void look_for_stuck(Steady::time_point now);
  void on_connected(CURLM* multi);
  void take_back(CURLM* multi, Transfer& transfer);
  Transfer::Way way(Steady::time_point now) const;

  // Where the upstream asks for a registered Relay: destination_relay.cpp.
  std::unique_ptr<RelaySession> make_relay();
  bool relay_may_ask() const;
  bool waits_for_relay() const;
  bool relay_fails() const;
  void pump_relay(CURLM* multi);
  void end_relay_query(CURLM* multi);
  void on_relay_answered(const Answer& answer);
  void on_relay_failed(const std::string& failure);
  void on_registered();
  bool awaits_config(Parcel& parcel, Shipment& shipment);
  void sign(Request& request, Shipment& shipment);
  bool is_doubted(const Shipment& shipment, const Answer& answer);
  void note_relay(DestinationStatus& status) const;

  // The link: destination_link.cpp.
  void look_at_link(Time now);
  void look_whether_metered();
  std::uint64_t unsent_bytes() const;
  bool admit(Shipment& shipment, const Request& request);
  void release(Transfer& transfer, const UnderWay& under_way);
  Link::Expiry expiry_of(const Label& label) const;
  Link::Expiry expiry_of(const Shipment& shipment) const;
  bool expire(const Shipment& shipment, std::string_view key);
  void settle_expired(const Shipment& shipment, std::string_view key);
  void estimate();

  // What came of it: destination_answers.cpp; of resends and reports: destination_extras.cpp.
  void note_answerer(const std::string& address, const Answer& answer);
  void on_answered(Shipment shipment, const Answer& answer, std::uint64_t bytes);
  void settle(const Shipment& shipment, Settled settled);
  void count(const Settled& settled);
  void refuse(const Shipment& shipment, unsigned status, std::string answer);
  void refuse_unreadable(Shipment shipment, std::string reason);
  void put_off(Shipment shipment, Time until);
  void leave_out(const Shipment& shipment);
  void on_report_answered(Verdict verdict);
  void on_delivered(const Shipment& shipment, std::uint64_t bytes);
  void settle_delivered(const Shipment& shipment, std::uint64_t bytes);
  void on_retry(Shipment shipment, const Answer& answer, const std::string& reason);
  void on_wait(Shipment shipment, const Answer& answer, const std::string& reason);
  void on_recode(Shipment shipment, const Answer& answer);
  void on_hold(Shipment shipment, const std::string& reason);
  void on_reached();
  void try_later(Shipment shipment, const Answer& answer);
  void note_limits(const Answer& answer, const Label& label);
  bool takes(buffer::Sequence sequence) const { return drain_until_ == 0 || sequence < drain_until_; }
  // Every record before it was settled, or waits in the deferred list.
  buffer::Sequence passed_cursor() const;
  DestinationState state(Time now) const;

  std::uint64_t note_of(const buffer::StoredRecord& record, const Shipment& shipment) const;

  const DestinationConfig config_;
  const Routes routes_;
  const Selector selector_;
  const buffer::Journal& journal_;
  const Clock& clock_;

  const std::shared_ptr<WireMeter> meter_ = std::make_shared<WireMeter>();
  Link link_;
  DrainRate drain_rate_;
  Window window_;
  DeliveryNotes notes_;
  Lanes lanes_;
  LaneBatch lane_batch_;
  std::array<Time, send_classes.size()> lane_waits_{};  // for a limit, when too many wait for it already
  Steady::time_point next_hand_over_{};
  Ledger ledger_;
  Limits limits_;
  Deferred deferred_;
  UnsentReports unsent_;
  Resend resend_;
  std::size_t resending_ = 0;  // records of it under way or to be tried again
  // Delivered behind the cursor, while the tables may still say that they never were.
  std::set<buffer::Sequence> delivered_lately_;
  std::set<buffer::Sequence> delivered_being_written_;
  Flight flight_;
  Backoff backoff_;
  LinkProbe probe_;
  const std::unique_ptr<RelaySession> relay_;  // none where nobody asks for a Relay
  std::size_t relay_bytes_ = 0;  // that the link has reserved for its question
  std::set<buffer::Sequence> doubted_;  // refused once as if the upstream had forgotten us, and not settled since
  bool relay_news_ = true;       // the next registration is worth a line in the log
  std::string unreached_;  // the origin, when no connection can be made
  Steady::time_point next_reach_look_{};
  std::optional<Steady::time_point> reached_again_;
  std::optional<Steady::time_point> misled_;  // when a stranger answered in the destination's place
  std::unordered_map<Transfer*, UnderWay> under_way_;
  std::vector<std::unique_ptr<Transfer>> free_;
  std::vector<Shipment> retries_;
  BatchOffers offers_;
  BatchPace pace_;
  std::optional<relay::EnvelopeBatchWriter> batch_writer_;  // once there was a batch
  std::unique_ptr<Batch> open_batch_;  // within pump() only
  std::size_t batch_bytes_ = 0;        // of batches under way, unpacked
  buffer::ReadBatch batch_;
  std::size_t next_in_batch_ = 0;
  std::size_t bytes_under_way_ = 0;
  std::vector<Transfer*> stopped_;     // that wait for the pace
  Steady::time_point next_link_look_{};
  Steady::time_point next_meter_{};    // when the sockets are looked at, where no cap asks for more
  WireBytes wire_;                     // as they said last
  bool metered_by_signal_ = false;
  bool ending_ = false;                // nothing starts any more
  const buffer::Tables* tables_ = nullptr;  // from load() on
  buffer::Sequence started_ = 1;          // the first record it was to have
  buffer::Sequence taken_cursor_ = 0;     // of the change handed to the scribe
  buffer::Sequence durable_cursor_ = 0;
  std::uint64_t being_written_ = 0;  // records settled, handed to the scribe, not yet durable
  std::uint64_t successes_ = 0;
  Time no_fresh_before_{};  // the deferred list is full and the next fresh one is limited
  Steady::time_point journal_failed_until_{};
  bool at_end_ = false;     // of the journal
  bool has_read_ = false;   // since memory was given back
  std::string instance_;    // what this Picket is called in X-Picket-Via
  bool paused_ = false;
  bool retired_ = false;
  bool stale_ = false;  // retired or released meanwhile: nothing more of what is in memory counts
  std::uint64_t generation_ = 0;
  buffer::Sequence drain_until_ = 0;
  bool forward_only_ = false;
  Unwanted unwanted_;  // only when forward_only_
  bool retry_quarantined_ = false;
  std::uint64_t retry_generation_ = 0;
  relay::Coding coding_;
  bool takes_stored_ = true;  // no compression that came in was refused yet
  std::string held_key_;  // the target's key that the hold is about
  DestinationStatus said_;  // counters, times and words for status
};

}  // namespace picket::upstream

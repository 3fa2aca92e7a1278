#include "buffer/recompression.h"

#include "buffer/logger.h"
#include "buffer/processor_time.h"
#include "buffer/rows.h"
#include "buffer/schema_number.h"
#include "buffer/thread.h"

#include <algorithm>
#include <utility>

namespace picket::buffer {
namespace {

constexpr std::string_view row_key = "recompression";
// Segments become old enough, and consumers leave them, no faster than that matters.
constexpr Duration look_every_at_most = std::chrono::milliseconds(50);
constexpr Duration look_every_at_least = std::chrono::seconds(10);
// What the digest takes at once.
constexpr Sequence digest_batch = 1600;

}  // namespace

schema::Recompression read_recompression(const Reader& tables) {
  return find_row<schema::Recompression>(tables, Table::meta, row_key).value_or(schema::Recompression());
}

Recompression::Recompression(Tables& tables, Journal& journal, const Clock& clock, const StorageConfig& config, OpenBody open_body)
    : tables_(tables),
      journal_(journal),
      clock_(clock),
      on_(config.recompress),
      after_(config.recompress_after),
      started_(clock.now()),
      open_body_(std::move(open_body)) {}

Recompressed::What Recompression::may(const SegmentUse& use) const {
  // Without a time its blocks cannot be read; that is found out.
  if (use.newest + after_ > clock_.now()) return Recompressed::What::not_yet;
  const auto snapshot = tables_.snapshot();
  auto cursor = snapshot.cursor(Table::cursors);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto next = parse_row<schema::Cursor>(cursor.value()).next_sequence();
    if (use.first <= next && next <= use.last) return Recompressed::What::in_use;
  }
  return Recompressed::What::done;
}

Result<bool> Recompression::run_once(const std::stop_token& stop) {
  if (read_minimum_reader(tables_) < bundle_reader && clock_.now() < started_ + after_) return false;
  if (!at_) at_ = read_recompression(tables_.snapshot()).up_to();
  step_began_ = std::chrono::steady_clock::now();
  processor_began_ = thread_processor_time();
  const auto done = journal_.recompress(*at_, {.open_body = open_body_,
                                               .may = [this](const SegmentUse& use) { return may(use); },
                                               .go_on = [&] { return go_on(stop); },
                                               .before_replacing = [this] { return raise_minimum_reader(tables_, bundle_reader); }});
  if (!done) return done.error();
  switch (done->what) {
    case Recompressed::What::nothing:
    case Recompressed::What::not_yet:
      // From the beginning again, for those that were in use.
      if (passed_one_) at_.reset();
      passed_one_ = false;
      return false;
    case Recompressed::What::no_room: return stop.stop_requested() ? Result<bool>(false) : Error{Fault::unavailable, done->reason};
    case Recompressed::What::in_use: passed_one_ = true; break;
    case Recompressed::What::already: break;
    case Recompressed::What::left_alone:
      log(Level::info, "buffer", "segment is not recompressed", {{"file", done->file}, {"reason", done->reason}});
      break;
    case Recompressed::What::done:
      log(Level::info, "buffer", "segment recompressed",
          {{"file", done->file}, {"records", done->records}, {"bytes_before", done->bytes_before}, {"bytes_after", done->bytes_after}});
      break;
  }
  at_ = done->next;
  if (auto noted = note(*done); !noted) return noted.error();
  return true;
}

// A row that is lost costs a look at the segment again, and its counting.
Result<void> Recompression::note(const Recompressed& done) {
  const bool counts = done.what == Recompressed::What::done || done.what == Recompressed::What::left_alone;
  if (!counts && passed_one_) return {};
  return tables_.write([&](Batch& batch) {
    auto row = read_recompression(batch);
    if (!passed_one_) row.set_up_to(done.next);
    if (done.what == Recompressed::What::left_alone && !passed_one_) row.set_left_alone(row.left_alone() + 1);
    if (done.what == Recompressed::What::done) {
      row.set_segments(row.segments() + 1);
      row.set_records(row.records() + done.records);
      row.set_bytes_before(row.bytes_before() + done.bytes_before);
      row.set_bytes_after(row.bytes_after() + done.bytes_after);
      row.set_last_ms(to_ms(clock_.now()));
    }
    put_row(batch, Table::meta, row_key, row);
  });
}

bool Recompression::digest_waits() const {
  const auto cursor = find_row<schema::Cursor>(tables_.snapshot(), Table::cursors, "digest");
  return cursor && journal_.use().next > cursor->next_sequence() + digest_batch;
}

bool Recompression::go_on(const std::stop_token& stop) {
  const auto now = std::chrono::steady_clock::now();
  const auto processor = thread_processor_time();
  const auto records = journal_.use().committed_records;
  const StepTaken step{.took = std::chrono::duration_cast<std::chrono::microseconds>(now - step_began_),
                       .processor = std::chrono::duration_cast<std::chrono::microseconds>(processor - processor_began_),
                       .records_came = records != records_before_,
                       .digest_waits = digest_waits()};
  pause(stop, pause_after(step));
  records_before_ = records;
  step_began_ = std::chrono::steady_clock::now();
  processor_began_ = thread_processor_time();
  return !stop.stop_requested();
}

void Recompression::pause(const std::stop_token& stop, std::chrono::microseconds time) {
  if (time.count() == 0) return;
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, time, [] { return false; });
}

void Recompression::start() {
  if (!on_) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    name_thread("recompression");
    yield_to_digest();
    while (!stop.stop_requested()) {
      const auto ran = run_once(stop);
      if (!ran && !failing_) log(Level::warning, "buffer", "recompression waits", {{"reason", ran.error().detail}});
      failing_ = !ran;
      if (!ran || !*ran) pause(stop, std::clamp(after_, look_every_at_most, look_every_at_least));
    }
  });
}

void Recompression::stop_soon() {
  thread_.request_stop();
}

}  // namespace picket::buffer

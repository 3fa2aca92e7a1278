#include "api/digest/digest.h"

#include "api/digest/batch_writer.h"
#include "api/digest/deletion.h"
#include "api/digest/expiry.h"
#include "api/digest/issue_life.h"
#include "api/digest/issue_move.h"
#include "api/digest/issue_release.h"
#include "api/digest/issue_wish.h"
#include "api/digest/monitor_state.h"
#include "api/digest/trim.h"
#include "api/digest/waiting_tags.h"
#include "buffer/free_memory.h"
#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/processor_time.h"
#include "buffer/rows.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace picket::digest {
namespace {

using buffer::Sequence;
using Stopwatch = std::chrono::steady_clock;

constexpr std::size_t idle_trim_rows = 500;
constexpr std::size_t idle_move_rows = 4'000;
// Decoded bytes of one batch; a single larger envelope is a batch of its own.
constexpr std::size_t most_decoded_bytes = std::size_t{32} << 20;
// Without rest. The tables keep memory for the largest batch of that time, not of all time.
constexpr Duration give_back_every(60'000);

Duration since(Stopwatch::time_point start) {
  return std::chrono::duration_cast<Duration>(Stopwatch::now() - start);
}

// Failures of the rows themselves, which writing again would only repeat.
bool lies_in_the_rows(const Error& error) {
  return error.fault == Fault::too_large || error.fault == Fault::malformed;
}

// What is left of the disk is for deletes and cursors (Tables::may_grow()).
Error no_room_to_grow() {
  return {Fault::unavailable, "the disk is full but for what deletes and cursors need"};
}

}  // namespace

Digest::Digest(buffer::Journal& journal,
               buffer::Tables& tables,
               const Clock& clock,
               const DigestConfig& config)
    : journal_(journal),
      tables_(tables),
      clock_(clock),
      config_(config),
      batch_size_(config.batch_records),
      groupings_(tables),
      repeats_(journal, tables) {}

Digest::~Digest() {
  stop();
}

void Digest::start() {
  threads_.start("digest", [this](const std::stop_token& stop) { return step(stop); });
}

void Digest::stop() {
  if (!threads_.started()) return;
  threads_.request_stop();
  journal_.interrupt();
  woken_.notify_all();
  threads_.join();
  stop_ = {};  // run_once() may follow
  settle_tags();  // an older Picket may be the next
}

void Digest::pause(const std::stop_token& stop, Duration at_most) {
  std::unique_lock lock(mutex_);
  woken_.wait_for(lock, stop, at_most, [] { return false; });
}

Pace Digest::step(const std::stop_token& stop) {
  constexpr Duration least_backoff(100);
  constexpr Duration most_backoff(10'000);
  stop_ = stop;
  if (next_ == 0) next_ = cursor();
  if (!journal_.wait_for(next_, Duration(1000))) {
    if (stop.stop_requested()) return Pace::ordinary;
    backlog_ = false;
    tidy();
    // The first rest may still be the courteous thread's.
    if (std::exchange(resting_, true) && worked_ > config_.batch_records && tables_.give_back_memory()) {
      worked_ = 0;
      give_back_free_memory();
    }
    return Pace::ordinary;
  }
  resting_ = false;
  if (!backlog_) pause(stop, config_.linger);
  if (stop.stop_requested()) return Pace::ordinary;
  const auto start = Stopwatch::now();
  const auto processor = thread_processor_time();
  const auto digested = run_once();
  if (digested) {
    backoff_ = {};
    worked_ += *digested;
    if (since(given_back_) >= give_back_every && tables_.give_back_memory()) given_back_ = Stopwatch::now();
    return pace_.after({.records = *digested,
                        .took = since(start),
                        .processor = std::chrono::duration_cast<Duration>(thread_processor_time() - processor),
                        .stretch = stretch_,
                        .behind = clock_.now() - digested_until_},
                       Stopwatch::now());
  }
  if (!logged_ || since(*logged_) >= Duration(60'000)) {
    log(Level::error, "digest", "cannot digest, will try again",
        {{"reason", digested.error().detail}});
    logged_ = Stopwatch::now();
  }
  backoff_ = std::clamp(backoff_ * 2, least_backoff, most_backoff);
  pause(stop, backoff_);
  return Pace::ordinary;
}

Sequence Digest::cursor() const {
  const auto row =
      buffer::find_row<schema::Cursor>(tables_.snapshot(), buffer::Table::cursors, digest_consumer);
  // Nothing is lost that nobody has waited for.
  return row ? std::max<Sequence>(1, row->next_sequence()) : std::max<Sequence>(1, journal_.use().first);
}

// Piece by piece: of a record only its rows are kept, so that large bodies make no small batches.
Result<Digest::Read> Digest::read_batch() {
  ownership_.refresh(tables_.snapshot());
  groupings_.look_again();
  Read read{.parsed = begin_batch()};
  ParsedBatch& parsed = read.parsed;
  parsed.next = next_;
  parsed.room = journal_.reading_room();
  while (!read.more && !stop_.stop_requested()) {
    const auto records = journal_.read(parsed.next, config_.batch_bytes, batch_size_.get() - parsed.records);
    if (!records && parsed.next == next_) return records.error();
    if (!records || records->next == parsed.next) break;
    read_piece(*records, parsed);
    read.more = parsed.next < records->next || parsed.records >= batch_size_.get() || parsed.decoded_bytes >= most_decoded_bytes;
  }
  repeats_.forget();
  return read;
}

// Without records yet. Who has read them lets go of repeats_ before the batch is written.
ParsedBatch Digest::begin_batch() {
  ParsedBatch parsed;
  parsed.owners = &ownership_;
  parsed.groupings = &groupings_;
  parsed.repeats = &repeats_;
  return parsed;
}

void Digest::read_piece(const buffer::ReadBatch& records, ParsedBatch& parsed) {
  auto end = records.next;
  std::uint64_t present = 0;
  for (const auto& record : records.records) {
    if (stop_.stop_requested()) return;
    if (parsed.records > 0 && parsed.decoded_bytes >= most_decoded_bytes) {
      end = record.sequence;
      break;
    }
    read_record(record, config_, parsed);
    ++present;
  }
  for (const auto sequence : records.damaged) {
    if (sequence >= end) continue;
    skip_damaged(sequence, clock_.now(), parsed);
    ++present;
  }
  const auto all = end - parsed.next;
  parsed.next = end;
  if (all > present) skip_lost(all - present, clock_.now(), parsed);
}

Result<std::size_t> Digest::run_once() {
  const auto start = Stopwatch::now();
  if (next_ == 0) next_ = cursor();
  auto read = read_batch();
  if (!read) return read.error();
  if (stop_.stop_requested()) return std::size_t{0};  // what was read is not whole: the next start reads it again
  backlog_ = read->more;
  if (read->parsed.next == next_) {
    tidy();
    return std::size_t{0};
  }
  const bool may_grow = tables_.may_grow();
  auto written = may_grow ? write_parsed(read->parsed) : Result<void>(no_room_to_grow());
  if (!written && lies_in_the_rows(written.error())) written = write_one_by_one(read->parsed.next);
  {
    const std::lock_guard lock(mutex_);
    counters_.failed_writes += written ? 0U : 1U;
    counters_.last_error = written ? std::string() : written.error().detail;
    counters_.last_batch_took = since(start);
  }
  if (!may_grow) trim(idle_trim_rows);
  if (!written) return written.error();
  digested_until_ = std::max(digested_until_, read->parsed.newest_received);
  stretch_ = read->parsed.newest_received - read->parsed.first_received;
  trim(2 * read->parsed.records + 100);
  grant();
  tick();
  return std::max<std::size_t>(read->parsed.records, 1);
}

// What time asks for, at most once a second. While records wait, time is theirs: a check-in among them
// may be just in time; and what has lived long enough lives on for a while, but not for as long as records wait.
void Digest::tick() {
  constexpr Duration every(1000);
  constexpr Duration expire_every(60'000);
  constexpr Duration expire_tags_every(std::int64_t{24} * 3600 * 1000);
  constexpr std::size_t most_tags = 5000;
  constexpr Duration on_the_way(2000);  // of what was received and is not yet in the journal
  constexpr std::size_t most = 1000;
  const auto now = clock_.now();
  const auto moment = backlog_ ? digested_until_ : now - on_the_way;
  if (moment >= ticked_ && moment - ticked_ < every) return;
  ticked_ = moment;
  if (begun_ == Time{}) begun_ = now;
  const auto report = [](const Error& error) {
    log(Level::warning, "digest", "cannot do what is due", {{"reason", error.detail}});
  };
  try {
    const auto due = [&] {
      const auto snapshot = tables_.snapshot();
      return anything_due(snapshot, moment) || any_issue_due(snapshot, moment) || any_release_came(snapshot);
    };
    if (due()) {
      const auto marked = tables_.write([&](buffer::Batch& batch) {
        mark_due(batch, moment, most);
        settle_due_issues(batch, moment, most);
        settle_releases(batch, most);
      });
      if (!marked) return report(marked.error());
    }
    constexpr int patience = 5;
    const auto is_due = [&](Time last, Duration interval) {
      return backlog_ ? now - std::max(last, begun_) >= patience * interval : now - last >= interval;
    };
    if (is_due(expired_, expire_every)) {
      const auto done = expire(tables_, now, most);
      if (!done) return report(done.error());
      if (*done) expired_ = now;
    }
    if (is_due(tags_expired_, expire_tags_every)) {
      const auto done = tag_expiry_.step(tables_, now, most_tags);
      if (!done) return report(done.error());
      if (*done) tags_expired_ = now;
    }
  } catch (const std::exception& failure) {
    report({Fault::malformed, failure.what()});
  }
}

Result<void> Digest::write_parsed(const ParsedBatch& parsed) {
  WriteSummary summary;
  Stopwatch::time_point begun;
  try {
    const auto written = tables_.write([&](buffer::Batch& batch) {
      begun = Stopwatch::now();
      try {
        summary = write_batch(batch, parsed, clock_.now());
      } catch (const std::exception&) {
        // What is thrown after a put failed (disk full) is no fault of the records.
        if (!batch.failed()) throw;
      }
    });
    if (!written) return written;
  } catch (const std::exception& failure) {
    return Error{Fault::malformed, failure.what()};
  }
  const std::chrono::duration<double, std::milli> exactly = Stopwatch::now() - begun;
  if (parsed.records >= batch_size_.get()) {
    batch_size_.learn(exactly.count(), static_cast<double>(config_.write_target.count()));
  }
  const auto took = since(begun);
  next_ = parsed.next;
  const std::lock_guard lock(mutex_);
  counters_.records += parsed.records;
  counters_.events += summary.events;
  counters_.duplicates += summary.duplicates;
  counters_.invalid += summary.invalid;
  counters_.issues += summary.issues;
  counters_.regressions += summary.regressions;
  counters_.batches += 1;
  counters_.next = next_;
  counters_.last_write_took = took;
  newest_received_ = std::max(newest_received_, parsed.newest_received);
  return {};
}

// Up to before `end`, read once more.
Result<void> Digest::write_one_by_one(Sequence end) {
  while (next_ < end) {
    const auto records = journal_.read(next_, config_.batch_bytes, batch_size_.get());
    if (!records) return records.error();
    if (records->next == next_) break;
    if (auto written = write_one_by_one(*records, std::min(records->next, end)); !written) return written;
  }
  return {};
}

Result<void> Digest::write_one_by_one(const buffer::ReadBatch& records, Sequence end) {
  auto damaged = records.damaged.begin();
  auto at = next_;
  const auto skip_up_to = [&](Sequence sequence, ParsedBatch& parsed) {
    auto lost = sequence - at;
    for (; damaged != records.damaged.end() && *damaged < sequence; ++damaged, --lost) {
      skip_damaged(*damaged, clock_.now(), parsed);
    }
    if (lost > 0) skip_lost(lost, clock_.now(), parsed);
    parsed.next = sequence;
  };
  for (const auto& record : records.records) {
    if (record.sequence >= end) break;
    ParsedBatch before;
    skip_up_to(record.sequence, before);
    at = record.sequence + 1;
    if (before.envelopes > 0) {
      if (auto written = write_parsed(before); !written) return written;
    }
    auto alone = begin_batch();
    alone.next = record.sequence + 1;
    read_record(record, config_, alone);
    repeats_.forget();
    auto written = write_parsed(alone);
    if (!written && lies_in_the_rows(written.error())) {
      ParsedBatch skipped;
      skipped.next = record.sequence + 1;
      skip_poisonous(record, skipped);
      written = write_parsed(skipped);
    }
    if (!written) return written;
  }
  if (next_ == end) return {};
  ParsedBatch rest;
  skip_up_to(end, rest);
  return write_parsed(rest);
}

// What nobody waits for, when there is nothing else to do.
void Digest::tidy() {
  if (const auto moved = continue_moves(tables_, journal_, idle_move_rows); !moved) {
    log(Level::warning, "digest", "cannot move events between issues", {{"reason", moved.error().detail}});
  }
  if (const auto gone = continue_deletions(tables_, idle_trim_rows); !gone) {
    log(Level::warning, "digest", "cannot remove what was deleted", {{"reason", gone.error().detail}});
  }
  settle_tags();
  trim(idle_trim_rows);
  grant();
  tick();
}

// Adds all that waits to the rows of tags, slice by slice.
void Digest::settle_tags() {
  try {
    for (bool more = tables_.snapshot().entries(buffer::Table::tag_runs) > 0; more;) {
      const auto written = tables_.write([&](buffer::Batch& batch) { more = fold_some_tags(batch); });
      if (written) continue;
      return log(Level::warning, "digest", "cannot add up what waits of tags", {{"reason", written.error().detail}});
    }
  } catch (const std::exception& failure) {
    log(Level::warning, "digest", "cannot add up what waits of tags", {{"reason", failure.what()}});
  }
}

// Takes up what upstreams say about the states of issues.
void Digest::grant() {
  constexpr std::size_t most = 500;
  const auto report = [](const std::string& reason) {
    log(Level::warning, "digest", "cannot take up what an upstream says", {{"reason", reason}});
  };
  try {
    if (!any_wish(tables_.snapshot())) return;
    const auto granted = tables_.write([&](buffer::Batch& batch) { grant_wishes(batch, clock_.now(), most); });
    if (!granted) report(granted.error().detail);
  } catch (const std::exception& failure) {
    report(failure.what());
  }
}

void Digest::trim(std::size_t most_rows) {
  const auto floor = journal_floor(tables_.snapshot());
  if (floor == trimmed_floor_) return;
  const auto trimmed = trim_before(tables_, floor, most_rows);
  if (!trimmed) {
    log(Level::warning, "digest", "cannot trim", {{"reason", trimmed.error().detail}});
    return;
  }
  if (trimmed->done) trimmed_floor_ = floor;
  const std::lock_guard lock(mutex_);
  counters_.trimmed_rows += trimmed->rows;
}

DigestCounters Digest::counters() const {
  const auto waiting = journal_.use().next;
  const std::lock_guard lock(mutex_);
  auto counters = counters_;
  const bool behind = counters.next != 0 && counters.next < waiting;
  if (behind && newest_received_ != Time{}) {
    counters.lag = std::max(Duration(0), clock_.now() - newest_received_);
  }
  return counters;
}

}  // namespace picket::digest

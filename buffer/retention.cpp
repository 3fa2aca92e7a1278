#include "buffer/retention.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/moved.h"
#include "buffer/rows.h"
#include "buffer/thread.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <utility>

namespace picket::buffer {
namespace {

constexpr std::string_view floor_key = "journal_floor";
constexpr std::string_view room_key = "journal_room";
constexpr std::string_view digest_name = "digest";
// A full speed segment of the default size lasts for seconds.
constexpr auto run_every = std::chrono::milliseconds(200);

template <class Visit>
void each_cursor(const Snapshot& snapshot, const Visit& visit) {
  auto cursor = snapshot.cursor(Table::cursors);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    visit(cursor.key(), parse_row<schema::Cursor>(cursor.value()).next_sequence());
  }
}

}  // namespace

Sequence smallest_cursor(const Tables& tables) {
  Sequence smallest = std::numeric_limits<Sequence>::max();
  bool digest_started = false;
  each_cursor(tables.snapshot(), [&](std::string_view name, Sequence next) {
    smallest = std::min(smallest, next);
    digest_started = digest_started || name == digest_name;
  });
  return digest_started ? smallest : 1;
}

Sequence greatest_cursor(const Tables& tables) {
  Sequence greatest = 1;
  each_cursor(tables.snapshot(),
              [&](std::string_view, Sequence next) { greatest = std::max(greatest, next); });
  return greatest;
}

Sequence read_journal_floor(const Tables& tables) {
  const auto snapshot = tables.snapshot();
  const auto stored = snapshot.get(Table::meta, floor_key);
  return stored ? KeyReader(*stored).u64() : 0;
}

std::optional<schema::JournalRoom> read_journal_room(const Reader& tables) {
  return find_row<schema::JournalRoom>(tables, Table::meta, room_key);
}

Retention::Retention(Tables& tables,
                     Journal& journal,
                     const Clock& clock,
                     const StorageConfig& config,
                     PickRecord worth_least)
    : tables_(tables),
      journal_(journal),
      clock_(clock),
      age_(config.retention),
      when_full_(parse_when_full(config.when_full) ? *parse_when_full(config.when_full)
                                                   : WhenFull::refuse),
      worth_least_(std::move(worth_least)) {}

bool Retention::may_go(const SegmentUse& oldest) const {
  // Without a time (its blocks cannot be read) it goes when others push it out.
  if (to_ms(oldest.newest) > 0 && oldest.newest + age_ < clock_.now()) return true;
  if (is_moved(tables_.snapshot(), oldest.first, oldest.last)) return true;
  const auto use = journal_.use();
  // What makes others half as large is worth the oldest that nobody needs.
  if (use.spare && !use.disk_low) return use.rewrite_waits && oldest.last < smallest_cursor(tables_);
  return when_full_ == WhenFull::drop_oldest || oldest.last < smallest_cursor(tables_);
}

Result<void> Retention::run_once() {
  auto done = forget_what_may_go();
  journal_.judge_room(smallest_cursor(tables_));
  tell_room();
  drop_what_is_worth_least();
  return done;
}

// A segment each time, from the oldest on that somebody still needs.
void Retention::drop_what_is_worth_least() {
  if (!worth_least_ || when_full_ != WhenFull::drop_oldest || journal_.room_step() != RoomStep::low) return;
  const auto next = journal_.drop_bodies(std::max(smallest_cursor(tables_), dropped_up_to_), worth_least_);
  if (next && *next) dropped_up_to_ = **next;
  if (!next) log(Level::debug, "buffer", "bodies cannot be dropped", {{"reason", next.error().detail}});
}

// A step that was taken is in the log and, once they can be written, in the tables.
void Retention::tell_room() {
  constexpr std::int64_t again_ms = 60'000;
  const auto use = journal_.use();
  const auto now = to_ms(clock_.now());
  const auto step = static_cast<std::uint32_t>(use.step);
  if (!told_) told_ = read_journal_room(tables_.snapshot()).value_or(schema::JournalRoom());
  const bool moved = told_->step() != step;
  const bool stale = step != 0 && now - told_->told_ms() >= again_ms;
  if (!moved && !stale) return;
  schema::JournalRoom room;
  room.set_step(step);
  room.set_since_ms(moved ? now : told_->since_ms());
  room.set_told_ms(now);
  room.set_room_bytes(use.room_bytes);
  room.set_disk_free_bytes(use.disk_free_bytes);
  if (moved && room.step() != logged_step_) {
    logged_step_ = room.step();
    const std::initializer_list<Field> fields = {{"step", name_of(use.step)}, {"room_bytes", use.room_bytes}, {"disk_free_bytes", use.disk_free_bytes}};
    if (use.step == RoomStep::ample) {
      log(Level::info, "buffer", "room for new records", fields);
    } else {
      log(Level::warning, "buffer", "room for new records", fields);
    }
  }
  const auto written = tables_.write([&room](Batch& batch) { put_row(batch, Table::meta, room_key, room); });
  if (written) told_ = room;
}

Result<void> Retention::forget_what_may_go() {
  // What an earlier run decided and did not get done.
  if (auto recycled = journal_.recycle_before(read_journal_floor(tables_)); !recycled) return recycled;
  for (;;) {
    const auto oldest = journal_.oldest_sealed();
    if (!oldest || !may_go(*oldest)) return {};
    if (auto forgotten = forget_before(oldest->last + 1); !forgotten) return forgotten;
    const auto after = journal_.oldest_sealed();
    if (after && after->first == oldest->first) return {};
  }
}

Result<void> Retention::forget_before(Sequence floor) {
  if (floor > read_journal_floor(tables_)) {
    auto written = tables_.write([floor](Batch& batch) { batch.put(Table::meta, floor_key, Key().u64(floor)); });
    if (!written) return written;
    log(Level::debug, "buffer", "journal floor raised", {{"floor", floor}});
  }
  return journal_.recycle_before(floor);
}

void Retention::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    name_thread("retention");
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      const auto ran = run_once();
      if (!ran && !failing_) {
        log(Level::warning, "buffer", "retention failed", {{"reason", ran.error().detail}});
      }
      failing_ = !ran;
      wake.wait_for(lock, stop, run_every, [] { return false; });
    }
  });
}

}  // namespace picket::buffer

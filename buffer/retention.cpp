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

namespace picket::buffer {
namespace {

constexpr std::string_view floor_key = "journal_floor";
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

Retention::Retention(Tables& tables,
                     Journal& journal,
                     const Clock& clock,
                     const StorageConfig& config)
    : tables_(tables),
      journal_(journal),
      clock_(clock),
      age_(config.retention),
      when_full_(parse_when_full(config.when_full) ? *parse_when_full(config.when_full)
                                                   : WhenFull::refuse) {}

bool Retention::may_go(const SegmentUse& oldest) const {
  // Without a time (its blocks cannot be read) it goes when others push it out.
  if (to_ms(oldest.newest) > 0 && oldest.newest + age_ < clock_.now()) return true;
  if (is_moved(tables_.snapshot(), oldest.first, oldest.last)) return true;
  if (journal_.use().spare) return false;
  return when_full_ == WhenFull::drop_oldest || oldest.last < smallest_cursor(tables_);
}

Result<void> Retention::run_once() {
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

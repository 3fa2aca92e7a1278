#include "upstream/scribe.h"

#include "buffer/logger.h"
#include "buffer/thread.h"

#include <chrono>
#include <utility>

namespace picket::upstream {

Scribe::Scribe(buffer::Tables& tables, const Clock& clock, std::function<void()> on_written)
    : tables_(tables), clock_(clock), on_written_(std::move(on_written)), thread_([this] { run(); }) {}

Scribe::~Scribe() {
  stop({});
}

bool Scribe::idle() const {
  const std::lock_guard lock(mutex_);
  return !busy_;
}

void Scribe::write(std::vector<Change> changes) {
  const std::lock_guard lock(mutex_);
  waiting_ = std::move(changes);
  busy_ = true;
  changed_.notify_one();
}

void Scribe::stop(std::vector<Change> last) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
  // What the thread could not write comes first: later changes build on it.
  if (busy_ && !write_once(waiting_)) return;
  if (!last.empty()) write_once(last);
}

bool Scribe::write_once(const std::vector<Change>& changes) {
  const auto written = tables_.write([&](buffer::Batch& batch) {
    for (const Change& change : changes) apply(batch, change, clock_.now());
  });
  if (!written && !failing_) {
    log(Level::error, "upstream", "cursors cannot be written; envelopes may be sent twice after a restart",
        {{"reason", written.error().detail}});
  }
  if (written && failing_) log(Level::info, "upstream", "cursors can be written again");
  failing_ = !written;
  return !failing_;
}

void Scribe::run() {
  name_thread("scribe");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || busy_; });
    if (!busy_) return;
    const auto changes = std::move(waiting_);
    lock.unlock();
    const bool written = write_once(changes);
    lock.lock();
    if (written) {
      busy_ = false;
      lock.unlock();
      on_written_();
      lock.lock();
      continue;
    }
    waiting_ = changes;
    if (stopping_) return;
    changed_.wait_for(lock, std::chrono::seconds(1), [&] { return stopping_; });
  }
}

}  // namespace picket::upstream

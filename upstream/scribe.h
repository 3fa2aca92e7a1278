// Writes the destinations' changes into the tables, on a thread of its own: a batch waits for the
// digest's and for the disk, and transfers must not.
//
// INVARIANT  Changes are written in the order they were offered; one that fails is tried again until
//            it succeeds or stop() is called.
// THREADS    All members from the worker.
#pragma once

#include "buffer/clock.h"
#include "buffer/tables.h"
#include "upstream/ledger.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace picket::upstream {

class Scribe {
 public:
  // `on_written` runs on the scribe's thread after each attempt that succeeded.
  Scribe(buffer::Tables& tables, const Clock& clock, std::function<void()> on_written);
  ~Scribe();

  bool idle() const;
  void write(std::vector<Change> changes);  // REQUIRES: idle()

  // Writes `last` after what is under way, each at most a few times, then ends.
  void stop(std::vector<Change> last);

 private:
  void run();
  bool write_once(const std::vector<Change>& changes);

  buffer::Tables& tables_;
  const Clock& clock_;
  std::function<void()> on_written_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Change> waiting_;  // guarded by mutex_
  bool busy_ = false;            // guarded by mutex_
  bool stopping_ = false;        // guarded by mutex_
  bool failing_ = false;         // scribe's thread only
  std::thread thread_;
};

}  // namespace picket::upstream

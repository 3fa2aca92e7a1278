// How much of a destination's envelopes are under way in batches, and in how large ones: found from
// how long the last ones took. What waits in the link's queue is kept to a few seconds, so that a
// crash that comes now does not wait behind megabytes.
//
//   bytes under way   64 KiB … 8 MiB, unpacked; a batch a quarter of it, but 128 KiB where half of it allows that
//
// THREADS    Belongs to the forwarder's worker.
#pragma once

#include "buffer/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace picket::upstream {

class BatchPace {
 public:
  using Steady = std::chrono::steady_clock;

  // Unpacked bytes after which a batch is closed, and that may be under way in all of them.
  std::size_t batch_bytes() const;
  std::size_t most_bytes() const { return most_bytes_; }
  bool may_begin(std::size_t bytes_under_way) const {
    return bytes_under_way == 0 || bytes_under_way + batch_bytes() <= most_bytes_;
  }
  // `configured` above 1 says that bytes matter more than work; else a slow link does.
  int level(std::uint64_t configured) const;

  struct Ended {
    Steady::time_point began;
    Steady::time_point now;
    Duration round_trip{0};  // of a packet
    bool full = false;       // it was closed because of its size
  };
  // A batch was answered.
  void note(const Ended& ended);
  // It was not, or was too large for somebody on the way. Batches that were under way together count once.
  void shrink(Steady::time_point began, Steady::time_point now);

 private:
  std::size_t most_bytes_ = std::size_t{256} << 10;
  Steady::time_point shrunk_at_{};
};

}  // namespace picket::upstream

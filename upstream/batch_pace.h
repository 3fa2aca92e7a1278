// How much of a destination's envelopes are under way in batches, and in how large ones: found from
// how long the last ones took. What waits in the link's queue is kept to a few seconds, so that a
// crash that comes now does not wait behind megabytes.
//
//   bytes under way   64 KiB … 8 MiB, unpacked, over ways longer than 100 ms in proportion up to 24 MiB;
//                     a batch a quarter of it, at most 2 MiB, but 128 KiB where half of it allows that
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
  bool may_begin(std::size_t bytes_under_way) const;
  // More is under way than an upstream nearby would ever have waiting.
  bool is_wide() const;
  // `configured` above 1 says that bytes matter more than work; else a slow link does.
  int level(std::uint64_t configured) const;

  struct Ended {
    Steady::time_point began;
    Steady::time_point now;
    Duration round_trip{0};  // of a packet
    bool young = false;      // its connection was new: it had to be made, and TCP to find its pace
    std::size_t full_bytes = 0;  // unpacked; 0: it was closed for want of more, and says nothing of the link
  };
  // A batch was answered.
  void note(const Ended& ended);
  // It was not, or was too large for somebody on the way. Batches that were under way together count once.
  void shrink(Steady::time_point began, Steady::time_point now);

 private:
  std::size_t most_bytes_ = std::size_t{256} << 10;
  Steady::time_point shrunk_at_{};
  bool steep_ = true;  // the link was never full
};

}  // namespace picket::upstream

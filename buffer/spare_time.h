// How long work that can wait for ever pauses after each of its steps, so that nobody notices it: not at all while
// nothing else happens; for so long that it takes a tenth of a processor while records come in, the digest is behind or
// others want the processors. A box that is never idle gets it done as well, slowly.
//
// Its share is kept small by pausing, and not by a priority that starves (SCHED_IDLE, nice 19): it holds locks for
// moments that the digest and retention wait for, and a stop waits for its step.
#pragma once

#include <chrono>

namespace picket::buffer {

struct StepTaken {
  std::chrono::microseconds took{};       // by the clock
  std::chrono::microseconds processor{};  // of the thread
  bool records_came = false;              // meanwhile
  bool digest_waits = false;              // has more to read than it takes at once
};

std::chrono::microseconds pause_after(const StepTaken& step);

}  // namespace picket::buffer

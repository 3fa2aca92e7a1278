#include "buffer/free_memory.h"

#include "buffer/processor_time.h"

#include <malloc.h>

namespace picket {

void keep_little_free_memory() {
  constexpr int kept = 4 << 20;
  ::mallopt(M_TRIM_THRESHOLD, kept);
  ::mallopt(M_MMAP_THRESHOLD, kept / 4);  // what is smaller is worth keeping: mapping it anew costs a fault a page
}

void give_back_free_memory() {
  ::malloc_trim(0);
}

bool FreeMemory::give_back_after_work() {
  constexpr std::chrono::milliseconds worth_it(20);
  const auto worked = process_processor_time();
  const bool busy = worked - worked_ >= worth_it;
  // What was in use at the last look of a burst is free at the first one after it.
  if (!busy && !was_busy_) return false;
  was_busy_ = busy;
  worked_ = worked;
  give_back_free_memory();
  return true;
}

}  // namespace picket

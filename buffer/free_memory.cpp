#include "buffer/free_memory.h"

#include "buffer/processor_time.h"

#include <malloc.h>

#include <cstdlib>

namespace picket {
namespace {

constexpr int kept = 4 << 20;
constexpr int grows_by = 128 << 10;  // glibc's default

// malloc_trim leaves it where the arena is not the main thread's. It goes when something of 64 KiB or more is freed there, wherever
// that lies; another thread that frees as much meanwhile gives its own back as well.
void give_back_end_of_own_arena() {
  constexpr std::size_t enough = 128 << 10;
  ::mallopt(M_TRIM_THRESHOLD, 0);
  ::mallopt(M_TOP_PAD, 0);
  void* volatile any = std::malloc(enough);  // volatile: the pair is not optimised away
  std::free(any);
  ::mallopt(M_TOP_PAD, grows_by);
  ::mallopt(M_TRIM_THRESHOLD, kept);
}

}  // namespace

void keep_little_free_memory() {
  ::mallopt(M_TRIM_THRESHOLD, kept);
  ::mallopt(M_MMAP_THRESHOLD, kept / 4);  // what is smaller is worth keeping: mapping it anew costs a fault a page
}

void give_back_free_memory() {
  ::malloc_trim(0);
  give_back_end_of_own_arena();
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

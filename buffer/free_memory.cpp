#include "buffer/free_memory.h"

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

}  // namespace picket

// What the process keeps of the memory that it has freed.
#pragma once

#include <chrono>

namespace picket {

// At the start of the process. Memory of a batch goes back to the system when the batch is done: by default each thread
// keeps as much as the largest it ever gave back, and memory that one thread keeps is of no use to another.
void keep_little_free_memory();

// Gives back what lies free between what is in use, and at the end of the calling thread's own arena: after much work, before a
// long rest. Takes milliseconds, in which what allocates from the arena that is gone through waits: not for threads that others
// may keep from running.
void give_back_free_memory();

// What lies free between what is in use stays with the process, and under steady load becomes ever more: each batch is
// laid out differently.
//
// THREADS  One, as above.
class FreeMemory {
 public:
  // Gives back all of it, once the process has worked since for long enough to have freed much, and once more when it has
  // come to rest: true then.
  bool give_back_after_work();

 private:
  std::chrono::nanoseconds worked_{};  // by the process when it was given back
  bool was_busy_ = false;
};

}  // namespace picket

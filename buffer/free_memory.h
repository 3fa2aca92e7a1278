// What the process keeps of the memory that it has freed.
#pragma once

namespace picket {

// At the start of the process. Memory of a batch goes back to the system when the batch is done: by default each thread
// keeps as much as the largest it ever gave back, and memory that one thread keeps is of no use to another.
void keep_little_free_memory();

// Gives back what lies free between what is in use: after much work, before a long rest. Takes milliseconds, during which
// no thread allocates: not for threads that others may keep from running.
void give_back_free_memory();

}  // namespace picket

// What a thread calls itself and how it yields.
#pragma once

namespace picket {

// Names the calling thread for `top -H` and debuggers; at most 15 characters.
void name_thread(const char* name);

// Lowers the calling thread's priority, for what can be caught up on later: when the cores are
// all taken, intake goes first.
void yield_to_intake();

}  // namespace picket

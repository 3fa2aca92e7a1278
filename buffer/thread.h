// What a thread calls itself and how it yields.
#pragma once

#include <pthread.h>

namespace picket {

// Names the calling thread for `top -H` and debuggers; at most 15 characters.
void name_thread(const char* name);

// Lowers the calling thread's priority, for what can be caught up on later: when the cores are
// all taken, intake goes first.
void yield_to_intake();
// As that, and to those who called that.
void yield_to_digest();

// The calling thread from now on only gets what no other wants of a processor (SCHED_IDLE), and gives it up
// at once. For good: without privileges there is no way back.
void run_when_idle();
// The way back, for a thread that others wait for: taken with privileges, or where RLIMIT_NICE is 20 or more (the unit's LimitNICE).
void run_again(pthread_t thread);

}  // namespace picket

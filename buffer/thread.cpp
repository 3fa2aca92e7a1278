#include "buffer/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace picket {

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

void yield_to_intake() {
  // On Linux a priority belongs to a thread. A refusal leaves it as it was.
  constexpr int nicer = 5;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nicer);
}

void run_when_idle() {
  // Refused in some sandboxes: then it yields as little as others do.
  const sched_param none{};
  if (::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none) != 0) yield_to_intake();
}

}  // namespace picket

#include "buffer/thread.h"

#include <pthread.h>
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

}  // namespace picket

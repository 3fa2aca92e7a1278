#include "buffer/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace picket {
namespace {

// On Linux a priority belongs to a thread. A refusal leaves it as it was.
void set_nice(int nicer) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nicer);
}

}  // namespace

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

void yield_to_intake() {
  set_nice(5);
}

void yield_to_digest() {
  set_nice(10);
}

void run_when_idle() {
  // Refused in some sandboxes: then it yields as little as others do.
  const sched_param none{};
  if (::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none) != 0) yield_to_intake();
}

void run_again(pthread_t thread) {
  const sched_param none{};
  ::pthread_setschedparam(thread, SCHED_OTHER, &none);
}

}  // namespace picket

// One thread's readiness loop: descriptors, one alarm, and a wake-up from other threads. All of
// Asio that Picket uses stands behind this header.
//
// THREADS  run() on one thread; wake() and request_end() from any; the rest on the loop's thread.
#pragma once

#include "relay/http/deadlines.h"
#include "relay/http/transport.h"

#include <functional>
#include <memory>

namespace picket::http {

class IoLoop {
 public:
  struct Callbacks {
    std::function<void()> on_wake;
    std::function<void()> on_alarm;
  };
  IoLoop();
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  void set(Callbacks callbacks);  // before run()

  // Returns when end() has been called and every wait is over.
  void run();
  bool on_own_thread() const;
  // on_wake is called once per wake(), on the loop's thread.
  void wake();
  void set_alarm(SteadyTime at);  // replaces the one before
  void end();

 private:
  friend class Descriptor;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Who is told that a descriptor is ready. Kept alive by the wait.
class ReadyListener {
 public:
  virtual void on_ready() = 0;

 protected:
  ~ReadyListener() = default;
};

// An open descriptor of a loop. Closing it ends its waits without a call.
// REQUIRES  The listener of a wait owns (directly or not) the Descriptor it waits on.
class Descriptor {
 public:
  Descriptor(IoLoop& loop, int descriptor);  // takes ownership
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int native() const;
  // One call of on_ready() for one or several wait()s in the same direction.
  void wait(Direction direction, std::shared_ptr<ReadyListener> listener);
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace picket::http

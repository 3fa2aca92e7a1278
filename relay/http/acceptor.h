// Takes connections off the listening socket and deals them out to the I/O threads in turn. Lives
// on the first of them.
//
// INVARIANT  No error of accept ends it: a full descriptor table is waited out.
// THREADS    The thread of its loop only.
#pragma once

#include "relay/http/deadlines.h"
#include "relay/http/io_loop.h"
#include "relay/http/io_thread.h"
#include "relay/http/listen_socket.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace picket::http {

class Acceptor final : public ReadyListener,
                       public Waiter,
                       public std::enable_shared_from_this<Acceptor> {
 public:
  // `threads` is not empty; its first is the one this lives on.
  Acceptor(UniqueDescriptor listening, std::vector<std::shared_ptr<IoThread>> threads);

  void start() { wait(); }
  void stop();

  void on_ready() override;
  void on_deadline() override { wait(); }

 private:
  void wait() { descriptor_.wait(Direction::read, shared_from_this()); }
  void deal_out(Accepted accepted);
  void pause(int error);

  std::vector<std::shared_ptr<IoThread>> threads_;
  Descriptor descriptor_;
  std::size_t turn_ = 0;
  SteadyTime warned_{};  // of a full descriptor table, not at every try
  bool stopped_ = false;
};

}  // namespace picket::http

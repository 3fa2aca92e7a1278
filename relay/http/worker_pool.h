// A few threads for handlers that may take long, behind a bounded queue.
//
// INVARIANT  A request that was taken is answered: by its handler, or 500 when stop() comes first.
// THREADS    offer() from any thread.
#pragma once

#include "relay/http/message.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace picket::http {

class WorkerPool {
 public:
  using Handler = std::function<void(Request, Responder)>;
  // `name` is the threads'; at most 15 characters.
  WorkerPool(unsigned threads, std::size_t queue_limit, Handler handler, const char* name = "query");
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, leaving both arguments as they were, when the queue is full: answer 503 now.
  [[nodiscard]] bool offer(Request& request, Responder& responder);

  // Waits for handlers that run; those that wait for a thread are answered 500.
  void stop();

 private:
  void run(const char* name);

  const std::size_t queue_limit_;
  const Handler handler_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Request, Responder>> waiting_;  // guarded by mutex_
  bool stopping_ = false;                              // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace picket::http

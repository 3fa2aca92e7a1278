#include "relay/http/worker_pool.h"

#include "buffer/thread.h"

namespace picket::http {

WorkerPool::WorkerPool(unsigned threads, std::size_t queue_limit, Handler handler, const char* name)
    : queue_limit_(queue_limit), handler_(std::move(handler)) {
  for (unsigned i = 0; i < threads; ++i)
    threads_.emplace_back([this, name] { run(name); });
}

WorkerPool::~WorkerPool() {
  stop();
}

bool WorkerPool::offer(Request& request, Responder& responder) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= queue_limit_) return false;
    waiting_.emplace_back(std::move(request), std::move(responder));
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::stop() {
  std::deque<std::pair<Request, Responder>> unanswered;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    unanswered.swap(waiting_);
  }
  changed_.notify_all();
  for (auto& thread : threads_)
    thread.join();
  threads_.clear();
}

void WorkerPool::run(const char* name) {
  name_thread(name);
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto [request, responder] = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    handler_(std::move(request), std::move(responder));
  }
}

}  // namespace picket::http

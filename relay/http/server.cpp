#include "relay/http/server.h"

#include "buffer/logger.h"
#include "buffer/thread.h"
#include "relay/http/acceptor.h"
#include "relay/http/io_thread.h"
#include "relay/http/shared.h"


#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace picket::http {

void run_handler(const Shared& shared, Request request, Responder responder) {
  try {
    shared.service.handle(std::move(request), std::move(responder));
  } catch (const std::exception& error) {
    log(Level::error, "http", "handler failed", {{"reason", error.what()}});
  } catch (...) {
    log(Level::error, "http", "handler failed", {{"reason", "not a std::exception"}});
  }
}

struct Server::Impl {
  explicit Impl(const ServerOptions& options, Service service)
      : shared(std::make_shared<Shared>()) {
    shared->options = options;
    shared->service = std::move(service);
    shared->body_memory = std::make_shared<buffer::MemoryBudget>(options.max_body_memory_bytes);
    pool = std::make_unique<WorkerPool>(std::max(1U, options.pool_threads), options.pool_queue,
                                        [shared = shared](Request request, Responder responder) {
                                          run_handler(*shared, std::move(request),
                                                      std::move(responder));
                                        });
    shared->pool = pool.get();
    for (unsigned i = 0; i < std::max(1U, options.io_threads); ++i) {
      io_threads.push_back(std::make_shared<IoThread>(shared));
    }
  }

  void start(UniqueDescriptor listening) {
    auto acceptor = std::make_shared<Acceptor>(std::move(listening), io_threads);
    acceptor->start();
    running = io_threads.size();
    for (std::size_t i = 0; i < io_threads.size(); ++i) {
      auto stop_accepting =
          i == 0 ? std::function<void()>([acceptor] { acceptor->stop(); }) : nullptr;
      threads.emplace_back([this, i, stop_accepting = std::move(stop_accepting)] {
        name_thread(("http-" + std::to_string(i)).c_str());
        io_threads[i]->run(stop_accepting);
        const std::lock_guard lock(mutex);
        --running;
        ended.notify_all();
      });
    }
  }

  void advance(Stage stage) {
    for (const auto& thread : io_threads)
      thread->advance(stage);
  }

  void stop() {
    const std::lock_guard once(stopping);
    if (threads.empty()) return;
    advance(Stage::draining);
    {
      std::unique_lock lock(mutex);
      ended.wait_for(lock, shared->options.drain_timeout, [this] { return running == 0; });
    }
    advance(Stage::closing);
    for (auto& thread : threads)
      thread.join();
    threads.clear();
    pool->stop();
    // A responder may outlive the server, and with it what is shared; what the service refers to
    // need not.
    shared->service = {};
  }

  const std::shared_ptr<Shared> shared;
  std::unique_ptr<WorkerPool> pool;
  std::vector<std::shared_ptr<IoThread>> io_threads;
  std::uint16_t port = 0;

  std::mutex stopping;  // held throughout stop(): the second caller waits for the first
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;  // guarded by mutex once threads run
  std::vector<std::thread> threads;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Service service) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Error{Fault::malformed, "TLS needs both certificate_file and key_file"};
  }
  auto impl = std::make_unique<Impl>(options, std::move(service));
  if (!options.certificate_file.empty()) {
    auto tls = TlsContext::load(options.certificate_file, options.key_file);
    if (!tls) return tls.error();
    impl->shared->tls = *std::move(tls);
  }
  auto listening = listen_on(options);
  if (!listening) return listening.error();
  impl->port = listening->port;
  impl->start(std::move(listening->descriptor));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  return impl_->port;
}

ServerCounters Server::counters() const {
  const Shared& shared = *impl_->shared;
  return {shared.connections_open, shared.connections_accepted, shared.connections_refused,
          shared.requests, shared.timeouts};
}

void Server::stop() {
  impl_->stop();
}

}  // namespace picket::http

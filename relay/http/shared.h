// What all I/O threads of one server share.
#pragma once

#include "relay/http/message.h"
#include "relay/http/server.h"
#include "relay/http/transport.h"
#include "relay/http/worker_pool.h"

#include <atomic>
#include <cstdint>
#include <optional>

namespace picket::http {

struct Shared {
  ServerOptions options;
  Service service;
  std::optional<TlsContext> tls;
  WorkerPool* pool = nullptr;
  std::shared_ptr<buffer::MemoryBudget> body_memory;

  std::atomic<std::uint64_t> connections_open{0};
  std::atomic<std::uint64_t> connections_accepted{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> timeouts{0};
};

// Runs the service's handler; one that throws costs its request, which the responder it held
// answers 500, and an error line.
void run_handler(const Shared& shared, Request request, Responder responder);

}  // namespace picket::http

// The HTTP/1.1 server: keep-alive, pipelining-safe, bounded in connections, bytes and time.
//
// INVARIANT  Responses leave in the order of their requests; the next request of a connection is
//            handled after the response before it was written.
// INVARIANT  A request that waits for its answer holds no thread.
// THREADS    One I/O thread per `io_threads`, each with its own connections; a small pool for
//            handlers that asked for it (Admission's on_pool).
#pragma once

#include "buffer/result.h"
#include "buffer/spool.h"
#include "relay/http/message.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace picket::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 3000;   // 0: any free one, see Server::port()
  int listen_descriptor = -1;  // systemd socket activation; overrides address and port
  unsigned io_threads = 2;
  unsigned pool_threads = 2;
  // Where bodies go that are too large for memory; without one all are held there.
  std::shared_ptr<buffer::Spool> spool;
  // Body bytes in memory, of all connections together and until they are dealt with. Past it bodies
  // go to the spool; without room there the answer is 503.
  std::size_t max_body_memory_bytes = std::size_t{32} << 20;
  std::size_t pool_queue = 256;  // waiting for the pool; more answers 503
  std::size_t max_connections = 20'000;
  std::size_t max_header_bytes = std::size_t{64} * 1024;
  std::chrono::milliseconds header_timeout{10'000};     // from a request's first byte
  std::chrono::milliseconds body_idle_timeout{30'000};  // between two arrivals of body bytes
  std::chrono::milliseconds idle_timeout{75'000};       // before the first and between two requests
  std::chrono::milliseconds write_timeout{30'000};      // without progress
  std::chrono::milliseconds drain_timeout{10'000};      // at stop(): for answers under way
  std::string certificate_file;  // PEM chain; TLS when set together with key_file
  std::string key_file;
};

struct ServerCounters {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t requests = 0;
  std::uint64_t timeouts = 0;
};

class Server {
 public:
  // Listens when it returns. Fault::unavailable with the reason when the address cannot be had.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, Service service);
  ~Server();

  std::uint16_t port() const;
  ServerCounters counters() const;

  // Stops accepting, lets requests under way be answered (at most drain_timeout), closes.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace picket::http

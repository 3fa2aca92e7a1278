// The [server] section of the configuration.
#pragma once

#include "buffer/clock.h"
#include "buffer/result.h"
#include "buffer/settings.h"
#include "relay/http/server.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace picket::http {

struct ServerConfig {
  // "host:port" or "[v6]:port". Beyond the loopback, set TLS or put a proxy in front.
  std::string listen = "127.0.0.1:3000";
  std::string certificate_file;  // PEM chain; with key_file: TLS. About 15 KB a connection
  std::string key_file;
  std::uint64_t io_threads = 0;            // 0: one a core. Each costs some 100 KB
  std::uint64_t pool_threads = 2;          // for the REST API; each slow query holds one
  std::uint64_t pool_queue = 256;          // requests that wait for the pool; more are answered 503
  std::uint64_t max_connections = 20'000;  // about 1 KB each when idle, and a descriptor
  std::uint64_t max_header_bytes =
      std::uint64_t{64} * 1024;  // per connection while a header arrives
  // Memory for bodies, of all connections together. Past it they go to storage.path/spool, where
  // those over 1 MiB go anyway. Price of more: just that.
  std::uint64_t max_body_memory_bytes = std::uint64_t{32} << 20;
  // Slow links need patience; every connection that is waited for costs its memory meanwhile.
  Duration header_timeout = std::chrono::seconds(10);
  Duration body_idle_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::seconds(75);
  Duration write_timeout = std::chrono::seconds(30);
  Duration drain_timeout = std::chrono::seconds(10);  // the longest that stopping may take
};

// How people write where it listens when nobody says otherwise.
constexpr std::string_view default_origin = "http://localhost:3000";

void bind(Settings& settings, ServerConfig& config);

// Fault::malformed, naming the key, for what bind()'s bounds cannot say.
Result<ServerOptions> options_of(const ServerConfig& config);

// Where this machine reaches what listens there.
std::string local_origin(const ServerOptions& options);
// The same as people write it: default_origin for what listens on the loopback or everywhere; that, too, for a
// port that is not known before it listens (0).
std::string usual_origin(const ServerOptions& options);

}  // namespace picket::http

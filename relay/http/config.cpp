#include "relay/http/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <thread>

namespace picket::http {
namespace {

using namespace std::chrono_literals;

Error bad_listen(const std::string& listen) {
  return {Fault::malformed, "server.listen '" + listen +
                                "' is not host:port, for example 127.0.0.1:3000 or [::1]:3000"};
}

Result<void> parse_listen(const std::string& listen, ServerOptions& options) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad_listen(listen);
  std::string_view host = std::string_view(listen).substr(0, colon);
  const std::string_view port = std::string_view(listen).substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find_first_of(":[]") != std::string_view::npos) return bad_listen(listen);

  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), options.port);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == port.data() + port.size();
  if (port.empty() || !whole) return bad_listen(listen);
  options.address = host;
  return {};
}

std::string origin_of(const ServerOptions& options, const std::string& host) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (options.certificate_file.empty() ? "http://" : "https://") + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(options.port);
}

}  // namespace

void bind(Settings& settings, ServerConfig& config) {
  settings.text("listen", config.listen);
  settings.text("certificate_file", config.certificate_file);
  settings.text("key_file", config.key_file);
  settings.number("io_threads", config.io_threads, 0, 256);
  settings.number("pool_threads", config.pool_threads, 1, 256);
  settings.number("pool_queue", config.pool_queue, 1, 100'000);
  settings.number("max_connections", config.max_connections, 1, 1'000'000);
  settings.bytes("max_header_bytes", config.max_header_bytes, 1024, 1 << 20);
  settings.bytes("max_body_memory_bytes", config.max_body_memory_bytes, 1 << 20, std::uint64_t{1} << 40);
  settings.duration("header_timeout", config.header_timeout, 100ms, 10min);
  settings.duration("body_idle_timeout", config.body_idle_timeout, 100ms, 1h);
  settings.duration("idle_timeout", config.idle_timeout, 100ms, 24h);
  settings.duration("write_timeout", config.write_timeout, 100ms, 1h);
  settings.duration("drain_timeout", config.drain_timeout, 0ms, 10min);
}

Result<ServerOptions> options_of(const ServerConfig& config) {
  ServerOptions options;
  if (auto parsed = parse_listen(config.listen, options); !parsed) return parsed.error();
  if (config.certificate_file.empty() != config.key_file.empty()) {
    return Error{Fault::malformed,
                 "server.certificate_file and server.key_file must be set together"};
  }
  options.certificate_file = config.certificate_file;
  options.key_file = config.key_file;
  options.io_threads = config.io_threads > 0 ? static_cast<unsigned>(config.io_threads)
                                             : std::max(1U, std::thread::hardware_concurrency());
  options.pool_threads = static_cast<unsigned>(config.pool_threads);
  options.pool_queue = config.pool_queue;
  options.max_connections = config.max_connections;
  options.max_header_bytes = config.max_header_bytes;
  options.max_body_memory_bytes = config.max_body_memory_bytes;
  options.header_timeout = config.header_timeout;
  options.body_idle_timeout = config.body_idle_timeout;
  options.idle_timeout = config.idle_timeout;
  options.write_timeout = config.write_timeout;
  options.drain_timeout = config.drain_timeout;
  return options;
}

std::string local_origin(const ServerOptions& options) {
  std::string host = options.address;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return origin_of(options, host);
}

std::string usual_origin(const ServerOptions& options) {
  constexpr std::array<std::string_view, 4> here = {"0.0.0.0", "127.0.0.1", "::", "::1"};
  const bool is_here = std::ranges::find(here, options.address) != here.end();
  if (options.port == 0) return std::string(default_origin);
  return origin_of(options, is_here ? "localhost" : options.address);
}

}  // namespace picket::http

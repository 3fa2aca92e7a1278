// Bytes over one connected socket, in the clear or through TLS, never waiting.
//
// TLS runs straight on the descriptor (no buffers of our own in between), so that an idle TLS
// connection costs what OpenSSL keeps for it and not a pair of 17 KB buffers more.
//
// THREADS  A Transport belongs to one thread. A TlsContext is immutable and shared.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace picket::http {

// What to wait for until the call is worth repeating.
enum class Direction : std::uint8_t { read, write };

struct Transfer {
  enum class State : std::uint8_t { moved, blocked, ended };
  State state = State::moved;
  std::size_t bytes = 0;                  // moved; may be some even when blocked
  Direction direction = Direction::read;  // when blocked
};

class TlsContext {
 public:
  // TLS 1.2 and newer. Fault::malformed naming the file that cannot be used.
  static Result<TlsContext> load(const std::string& certificate_file, const std::string& key_file);

 private:
  friend class Transport;
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

class Transport {
 public:
  // The descriptor stays the caller's, who keeps it open for as long as this is used.
  explicit Transport(int descriptor) : descriptor_(descriptor) {}
  Transport(int descriptor, const TlsContext& context);

  bool tls() const { return tls_ != nullptr; }
  Transfer shake_hands();  // TLS only; moved: done
  Transfer read(std::span<char> into);
  // Both parts in one packet where they fit. With TLS `body` must be empty, and what is written
  // again after `blocked` the same bytes, at whatever address.
  Transfer write(std::string_view head, std::string_view body);
  // True when bytes have been taken off the socket that read() has not given out: no readiness of
  // the socket would tell.
  bool pending() const;
  void shutdown_write();

 private:
  struct FreeTls {
    void operator()(ssl_st* tls) const;
  };
  Transfer after_tls(int result);
  Transfer write_tls(std::string_view bytes);
  Transfer write_plain(std::string_view head, std::string_view body);

  int descriptor_;
  std::unique_ptr<ssl_st, FreeTls> tls_;
};

}  // namespace picket::http

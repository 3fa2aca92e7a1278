// The listening socket, and the connections that come out of it.
#pragma once

#include "buffer/result.h"
#include "relay/http/server.h"

#include <cstdint>
#include <string>
#include <utility>

namespace picket::http {

// A descriptor that is closed with its owner.
class UniqueDescriptor {
 public:
  explicit UniqueDescriptor(int descriptor = -1) : descriptor_(descriptor) {}
  UniqueDescriptor(UniqueDescriptor&& other) noexcept : descriptor_(other.release()) {}
  UniqueDescriptor& operator=(UniqueDescriptor&& other) noexcept;
  UniqueDescriptor(const UniqueDescriptor&) = delete;
  UniqueDescriptor& operator=(const UniqueDescriptor&) = delete;
  ~UniqueDescriptor();

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

struct Listening {
  UniqueDescriptor descriptor;
  std::uint16_t port = 0;
};
// Binds and listens, or takes over the descriptor of a socket activation.
Result<Listening> listen_on(const ServerOptions& options);

struct Accepted {
  UniqueDescriptor descriptor;  // none: see error
  std::string peer;             // "192.0.2.1", "2001:db8::1", "" when it has no address
  int error = 0;                // errno of accept
};
Accepted accept_one(int listening);

// True when the next accept may well succeed: the connection itself was at fault.
bool is_passing_accept_error(int error);

}  // namespace picket::http

#include "relay/http/listen_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace picket::http {
namespace {

constexpr int backlog = 1024;

std::string reason(int error) {
  return std::system_category().message(error);
}

std::uint16_t bound_port(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
  return 0;
}

// The errno of the step that failed, or 0.
int bind_and_listen(int descriptor, const addrinfo& address) {
  const int on = 1;
  const int off = 0;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // "::" means every address, those of IPv4 as well, whatever the machine's default.
  if (address.ai_family == AF_INET6)
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(descriptor, address.ai_addr, address.ai_addrlen) != 0) return errno;
  return ::listen(descriptor, backlog) == 0 ? 0 : errno;
}

std::string peer_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
  }
  return text.data();
}

Result<Listening> take_over(int descriptor) {
  UniqueDescriptor owned(descriptor);
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
      listening == 0) {
    return Error{Fault::unavailable, "descriptor " + std::to_string(descriptor) +
                                         " of the socket activation is not a listening socket"};
  }
  const int flags = ::fcntl(descriptor, F_GETFL);
  ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  const auto port = bound_port(descriptor);
  return Listening{std::move(owned), port};
}

}  // namespace

UniqueDescriptor& UniqueDescriptor::operator=(UniqueDescriptor&& other) noexcept {
  UniqueDescriptor before(std::move(other));
  std::swap(descriptor_, before.descriptor_);
  return *this;
}

UniqueDescriptor::~UniqueDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<Listening> listen_on(const ServerOptions& options) {
  if (options.listen_descriptor >= 0) return take_over(options.listen_descriptor);

  const auto port = std::to_string(options.port);
  const auto where =
      (options.address.find(':') == std::string::npos ? options.address
                                                      : "[" + options.address + "]") +
      ":" + port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(options.address.c_str(), port.c_str(), &hints, &found);
  if (rc != 0) {
    return Error{Fault::unavailable, "cannot listen on " + where + ": " + ::gai_strerror(rc)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);

  int last_error = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    UniqueDescriptor descriptor(
        ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    last_error = descriptor.get() < 0 ? errno : bind_and_listen(descriptor.get(), *address);
    if (last_error != 0) continue;
    const auto bound = bound_port(descriptor.get());
    return Listening{std::move(descriptor), bound};
  }
  return Error{Fault::unavailable, "cannot listen on " + where + ": " + reason(last_error)};
}

Accepted accept_one(int listening) {
  Accepted accepted;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  accepted.descriptor = UniqueDescriptor(::accept4(listening, reinterpret_cast<sockaddr*>(&address),
                                                   &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted.descriptor.get() < 0) {
    accepted.error = errno;
    return accepted;
  }
  const int on = 1;
  ::setsockopt(accepted.descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  accepted.peer = peer_text(address);
  return accepted;
}

bool is_passing_accept_error(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:  // a firewall rule
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH: return true;
    default: return false;
  }
}

}  // namespace picket::http

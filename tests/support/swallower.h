// A port of this machine. It listens and never accepts: when its queue is full the kernel swallows what asks for
// a connection, as a link that is down does.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace picket::testing {

class Swallower {
 public:
  Swallower() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
  }
  ~Swallower() { end(); }
  Swallower(const Swallower&) = delete;
  Swallower& operator=(const Swallower&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }
  void swallow() {
    ASSERT_EQ(::listen(listener_, 0), 0);
    for (int i = 0; i < 4; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(client, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
      clients_.push_back(client);
    }
  }
  void end() {
    for (const int client : clients_) ::close(client);
    clients_.clear();
    if (listener_ >= 0) ::close(listener_);
    listener_ = -1;
  }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  std::vector<int> clients_;
};

}  // namespace picket::testing

// One keep-alive connection of the load generator: a request at a time, its answer read as far as
// needed. Raw non-blocking sockets, for an edge-triggered epoll.
//
// THREADS  None: everything on the loop's.
#pragma once

#include "bench/load/body_pool.h"

#include <netinet/in.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::load {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Target {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::string head;  // of every request, up to and with "Content-Length: "
};

class Connection {
 public:
  explicit Connection(const Target& target) : target_(target) {}
  ~Connection() { close(); }
  Connection(Connection&& other) = delete;

  // Begins to connect and joins `epoll` with `tag`; false when that fails at once.
  bool open(int epoll, std::uint64_t tag);
  void close();

  enum class State : std::uint8_t { closed, connecting, idle, busy };
  State state() const { return state_; }

  // REQUIRES: idle. `due` is when the request should have left.
  void send(SteadyTime due);
  GzipBody& body() { return body_; }
  SteadyTime due() const { return due_; }

  // The socket is ready for something. Gives the status of an answer that is complete; a connection
  // that broke is closed afterwards.
  std::optional<int> on_ready();

 private:
  bool write_rest();  // false when the connection broke
  bool read_all();
  std::optional<int> take_answer();

  const Target& target_;
  int descriptor_ = -1;
  State state_ = State::closed;
  SteadyTime due_{};
  GzipBody body_;
  std::string head_;
  std::size_t written_ = 0;
  std::string received_;
};

}  // namespace picket::load

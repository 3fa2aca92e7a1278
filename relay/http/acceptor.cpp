#include "relay/http/acceptor.h"

#include "buffer/logger.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace picket::http {
namespace {

using namespace std::chrono_literals;

constexpr int accepts_in_a_row = 64;
constexpr auto warning_interval = 10s;

// The best that can be done without spending a session on it. What the sender has sent already is
// read, because closing on unread bytes resets the connection before the answer is seen.
void refuse(const UniqueDescriptor& descriptor, bool tls) {
  if (tls) return;
  constexpr std::string_view answer =
      "HTTP/1.1 503 Service Unavailable\r\nServer: picket\r\nRetry-After: 1\r\n"
      "Content-Type: application/json\r\nContent-Length: 46\r\nConnection: close\r\n\r\n"
      R"({"detail":"too many connections","causes":[]})"
      "\n";
  ::send(descriptor.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(descriptor.get(), SHUT_WR);
  char unread[16 * 1024];
  while (::recv(descriptor.get(), unread, sizeof unread, MSG_DONTWAIT) > 0) {
  }
}

}  // namespace

Acceptor::Acceptor(UniqueDescriptor listening, std::vector<std::shared_ptr<IoThread>> threads)
    : threads_(std::move(threads)), descriptor_(threads_.front()->loop(), listening.get()) {
  listening.release();
}

void Acceptor::stop() {
  stopped_ = true;
  leave();
  descriptor_.close();
  threads_.clear();
}

void Acceptor::on_ready() {
  if (stopped_) return;
  for (int i = 0; i < accepts_in_a_row; ++i) {
    auto accepted = accept_one(descriptor_.native());
    if (accepted.descriptor.get() >= 0) {
      deal_out(std::move(accepted));
    } else if (accepted.error == EAGAIN || accepted.error == EWOULDBLOCK) {
      break;
    } else if (!is_passing_accept_error(accepted.error)) {
      return pause(accepted.error);
    }
  }
  wait();
}

void Acceptor::deal_out(Accepted accepted) {
  Shared& shared = *threads_.front()->shared();
  if (shared.connections_open >= shared.options.max_connections) {
    ++shared.connections_refused;
    return refuse(accepted.descriptor, shared.tls.has_value());
  }
  ++shared.connections_open;
  ++shared.connections_accepted;
  threads_[turn_]->adopt(std::move(accepted));
  turn_ = (turn_ + 1) % threads_.size();
}

void Acceptor::pause(int error) {
  const auto now = std::chrono::steady_clock::now();
  if (now - warned_ > warning_interval) {
    warned_ = now;
    log(Level::warning, "http", "cannot accept connections for now",
        {{"reason", std::system_category().message(error)}});
  }
  threads_.front()->arm(Waiting::accept, *this);
}

}  // namespace picket::http

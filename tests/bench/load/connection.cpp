#include "bench/load/connection.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace picket::load {
namespace {

// The number after "name:" in a head whose field names are compared without case.
std::optional<std::size_t> find_number(std::string_view head, std::string_view lower_name) {
  for (std::size_t at = 0; at + lower_name.size() < head.size(); ++at) {
    if (at != 0 && head[at - 1] != '\n') continue;
    std::size_t same = 0;
    while (same < lower_name.size() &&
           static_cast<char>(head[at + same] | 0x20) == lower_name[same])
      ++same;
    if (same != lower_name.size()) continue;
    auto value = head.substr(at + lower_name.size());
    while (value.starts_with(':') || value.starts_with(' '))
      value.remove_prefix(1);
    std::size_t number = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc())
      return std::nullopt;
    return number;
  }
  return std::nullopt;
}

}  // namespace

bool Connection::open(int epoll, std::uint64_t tag) {
  close();
  descriptor_ = ::socket(target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return false;
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* address = reinterpret_cast<const sockaddr*>(&target_.address);
  if (::connect(descriptor_, address, target_.address_bytes) != 0 && errno != EINPROGRESS) {
    close();
    return false;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor_, &event) != 0) {
    close();
    return false;
  }
  state_ = State::connecting;
  return true;
}

void Connection::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  state_ = State::closed;
  received_.clear();
}

void Connection::send(SteadyTime due) {
  due_ = due;
  head_.assign(target_.head).append(std::to_string(body_.size())).append("\r\n\r\n");
  written_ = 0;
  state_ = State::busy;
  if (!write_rest()) close();
}

bool Connection::write_rest() {
  const std::array<std::string_view, 4> pieces{
      head_, body_.front, body_.tail, {body_.trailer.data(), body_.trailer.size()}};
  while (written_ < head_.size() + body_.size()) {
    std::array<iovec, 4> vectors{};
    std::size_t count = 0;
    std::size_t skip = written_;
    for (const auto& piece : pieces) {
      if (skip >= piece.size()) {
        skip -= piece.size();
        continue;
      }
      vectors.at(count++) = {const_cast<char*>(piece.data()) + skip, piece.size() - skip};
      skip = 0;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    written_ += static_cast<std::size_t>(sent);
  }
  return true;
}

bool Connection::read_all() {
  std::array<char, 8192> buffer{};
  while (true) {
    const auto got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(got));
      if (static_cast<std::size_t>(got) < buffer.size()) return true;
      continue;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

std::optional<int> Connection::take_answer() {
  const auto end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const std::string_view head(received_.data(), end + 2);
  const auto body = find_number(head, "content-length").value_or(0);
  if (received_.size() < end + 4 + body) return std::nullopt;
  int status = 0;
  constexpr std::size_t status_at = 9;  // after "HTTP/1.1 "
  if (head.size() > status_at)
    std::from_chars(head.data() + status_at, head.data() + head.size(), status);
  received_.erase(0, end + 4 + body);
  return status;
}

std::optional<int> Connection::on_ready() {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      close();
      return std::nullopt;
    }
    state_ = State::idle;
  }
  if (state_ == State::closed) return std::nullopt;
  bool alive = state_ != State::busy || write_rest();
  alive = read_all() && alive;
  const auto status = state_ == State::busy ? take_answer() : std::nullopt;
  if (status) state_ = State::idle;
  if (!alive) close();
  return status;
}

}  // namespace picket::load

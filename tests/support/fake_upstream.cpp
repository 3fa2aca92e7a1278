#include "support/fake_upstream.h"

#include "support/received_request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>

namespace picket::testing {
namespace {

using Steady = std::chrono::steady_clock;
constexpr char key_of_dsn[] = "abababababababababababababababab";

std::string render(const Reply& reply, const Received& received) {
  std::string body = reply.body;
  if (body.empty() && !reply.no_body) {
    const bool accepts = reply.status >= 200 && reply.status < 300;
    body = !accepts ? R"({"detail":"told to"})" : received.event_id.empty() ? "{}" : "{\"id\":\"" + received.event_id + "\"}";
  }
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Told\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n";
  if (!reply.content_type.empty()) text += "Content-Type: " + reply.content_type + "\r\n";
  for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
  text += "\r\n" + body;
  if (reply.way == Reply::Way::cut) text.resize(text.size() - (body.size() + 1) / 2);
  return text;
}

void reset(int socket) {
  const linger now{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

Reply portal_page() {
  Reply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = "<!doctype html><title>Welcome aboard</title><form>Accept the terms</form>";
  return reply;
}

struct FakeUpstream::Impl {
  struct Connection {
    int socket = -1;
    std::string in;
    std::string out;
    bool answering = false;  // the next request waits
    bool reset_after = false;
  };
  struct Due {
    int socket = -1;
    std::uint64_t number = 0;  // of the connection: the socket may be another's by then
    Reply reply;
    Received received;
  };

  explicit Impl(Options chosen);
  ~Impl();
  void run();
  void accept_all();
  void read_from(int socket);
  void take_request(int socket);
  void respond(Due due);
  void flush(int socket);
  void close(int socket);
  void send_due(Steady::time_point now);
  int next_timeout(Steady::time_point now) const;
  bool wait(const std::size_t& counter, std::size_t count, std::chrono::milliseconds at_most) const;

  const Options options;
  int listener = -1;
  int events = -1;
  int wake = -1;
  std::uint16_t port = 0;
  std::unordered_map<int, Connection> connections;
  std::unordered_map<int, std::uint64_t> numbers;
  std::multimap<Steady::time_point, Due> due;
  std::atomic<bool> stopping{false};

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  Rule rule;                                              // guarded by mutex, as the rest
  std::function<void(const Received&)> accepted_listener;
  std::vector<Received> received;
  std::vector<std::string> accepted_ids;
  std::size_t requests = 0;
  std::size_t accepted = 0;
  std::size_t connected = 0;

  std::thread thread;
};

FakeUpstream::Impl::Impl(Options chosen) : options(chosen) {
  listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(options.port);
  socklen_t size = sizeof address;
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  if (::bind(listener, generic, size) != 0 || ::listen(listener, 1024) != 0) {
    ::close(listener);
    throw std::runtime_error(std::string("cannot listen: ") + std::strerror(errno));
  }
  ::getsockname(listener, generic, &size);
  port = ntohs(address.sin_port);
  events = ::epoll_create1(EPOLL_CLOEXEC);
  wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  for (const int fd : {listener, wake}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
  }
  thread = std::thread([this] { run(); });
}

FakeUpstream::Impl::~Impl() {
  stopping = true;
  const std::uint64_t one = 1;
  if (::write(wake, &one, sizeof one) < 0) std::abort();
  thread.join();
  for (const auto& [socket, connection] : connections) ::close(socket);
  ::close(listener);
  ::close(events);
  ::close(wake);
}

void FakeUpstream::Impl::run() {
  std::vector<epoll_event> ready(256);
  while (!stopping) {
    const int count = ::epoll_wait(events, ready.data(), static_cast<int>(ready.size()), next_timeout(Steady::now()));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<std::size_t>(i)];
      if (event.data.fd == wake) continue;
      if (event.data.fd == listener) {
        accept_all();
        continue;
      }
      if ((event.events & EPOLLOUT) != 0) flush(event.data.fd);
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_from(event.data.fd);
    }
    send_due(Steady::now());
  }
}

int FakeUpstream::Impl::next_timeout(Steady::time_point now) const {
  if (due.empty()) return 1'000;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due.begin()->first - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000));
}

void FakeUpstream::Impl::accept_all() {
  while (true) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[socket].socket = socket;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    ::epoll_ctl(events, EPOLL_CTL_ADD, socket, &event);
    const std::lock_guard lock(mutex);
    numbers[socket] = ++connected;
  }
}

void FakeUpstream::Impl::close(int socket) {
  ::close(socket);
  connections.erase(socket);
  numbers.erase(socket);
}

void FakeUpstream::Impl::read_from(int socket) {
  const auto found = connections.find(socket);
  if (found == connections.end()) return;
  char bytes[64 * 1024];
  while (true) {
    const auto got = ::recv(socket, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return close(socket);
    found->second.in.append(bytes, static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < sizeof bytes) break;
  }
  take_request(socket);
}

void FakeUpstream::Impl::take_request(int socket) {
  Connection& connection = connections.at(socket);
  if (connection.answering) return;
  const auto head_end = connection.in.find("\r\n\r\n");
  if (head_end == std::string::npos) return;
  Due next{socket, numbers.at(socket), {}, parse_head(std::string_view(connection.in).substr(0, head_end + 2))};
  const auto body_bytes = parse_length(next.received);
  if (connection.in.size() < head_end + 4 + body_bytes) return;
  next.received.body_bytes = body_bytes;
  next.received.at = Steady::now();
  if (options.decode) decode_body(next.received, std::string_view(connection.in).substr(head_end + 4, body_bytes));
  connection.in.erase(0, head_end + 4 + body_bytes);
  connection.answering = true;
  {
    const std::lock_guard lock(mutex);
    if (rule) next.reply = rule(next.received);
    ++requests;
    const bool accepts = next.reply.way == Reply::Way::whole && next.reply.status / 100 == 2 &&
                         next.reply.content_type.find("html") == std::string::npos;
    next.received.status = next.reply.way == Reply::Way::whole ? next.reply.status : 0;
    if (options.keep) received.push_back(next.received);
    if (accepts) {
      ++accepted;
      if (options.keep) accepted_ids.push_back(next.received.event_id);
      if (accepted_listener) accepted_listener(next.received);
    }
    changed.notify_all();
  }
  const auto delay = options.delay + next.reply.delay;
  if (delay.count() == 0) return respond(std::move(next));
  due.emplace(Steady::now() + delay, std::move(next));
}

void FakeUpstream::Impl::send_due(Steady::time_point now) {
  while (!due.empty() && due.begin()->first <= now) {
    Due next = std::move(due.begin()->second);
    due.erase(due.begin());
    const auto number = numbers.find(next.socket);
    if (number != numbers.end() && number->second == next.number) respond(std::move(next));
  }
}

void FakeUpstream::Impl::respond(Due next) {
  Connection& connection = connections.at(next.socket);
  if (next.reply.way == Reply::Way::stall) return;
  if (next.reply.way == Reply::Way::reset) {
    reset(next.socket);
    return close(next.socket);
  }
  connection.out += render(next.reply, next.received);
  connection.reset_after = next.reply.way == Reply::Way::cut;
  connection.answering = false;
  flush(next.socket);
  if (connections.contains(next.socket)) take_request(next.socket);
}

void FakeUpstream::Impl::flush(int socket) {
  const auto found = connections.find(socket);
  if (found == connections.end()) return;
  Connection& connection = found->second;
  while (!connection.out.empty()) {
    const auto sent = ::send(socket, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return close(socket);
    connection.out.erase(0, static_cast<std::size_t>(sent));
  }
  if (connection.out.empty() && connection.reset_after) {
    // Time for the half answer to be read before the reset overtakes it.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    reset(socket);
    return close(socket);
  }
  epoll_event event{};
  event.events = connection.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  event.data.fd = socket;
  ::epoll_ctl(events, EPOLL_CTL_MOD, socket, &event);
}

bool FakeUpstream::Impl::wait(const std::size_t& counter, std::size_t count, std::chrono::milliseconds at_most) const {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, at_most, [&] { return counter >= count; });
}

FakeUpstream::FakeUpstream() : FakeUpstream(Options()) {}
FakeUpstream::FakeUpstream(Options options) : impl_(std::make_unique<Impl>(options)) {}
FakeUpstream::~FakeUpstream() = default;

std::uint16_t FakeUpstream::port() const {
  return impl_->port;
}

std::string FakeUpstream::url() const {
  return "http://127.0.0.1:" + std::to_string(port());
}

std::string FakeUpstream::dsn(std::uint64_t project) const {
  return std::string("http://") + key_of_dsn + "@127.0.0.1:" + std::to_string(port()) + "/" + std::to_string(project);
}

void FakeUpstream::answer(Rule rule) {
  const std::lock_guard lock(impl_->mutex);
  impl_->rule = std::move(rule);
}

void FakeUpstream::answer_with(Reply reply) {
  answer([reply = std::move(reply)](const Received&) { return reply; });
}

void FakeUpstream::on_accepted(std::function<void(const Received&)> listener) {
  const std::lock_guard lock(impl_->mutex);
  impl_->accepted_listener = std::move(listener);
}

std::vector<Received> FakeUpstream::received() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->received;
}

std::size_t FakeUpstream::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::size_t FakeUpstream::accepted() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}

std::vector<std::string> FakeUpstream::accepted_ids() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->accepted_ids;
}

std::size_t FakeUpstream::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->connected;
}

bool FakeUpstream::wait_for_requests(std::size_t count, std::chrono::milliseconds at_most) const {
  return impl_->wait(impl_->requests, count, at_most);
}

bool FakeUpstream::wait_for_accepted(std::size_t count, std::chrono::milliseconds at_most) const {
  return impl_->wait(impl_->accepted, count, at_most);
}

}  // namespace picket::testing

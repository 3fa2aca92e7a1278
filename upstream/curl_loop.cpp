#include "upstream/curl_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace picket::upstream {
namespace {

buffer::Descriptor opened(int number, const char* what) {
  if (number < 0) {
    log(Level::error, "upstream", "the loop cannot be set up", {{"what", what}, {"errno", errno}});
    std::abort();
  }
  return buffer::Descriptor(number);
}

}  // namespace

CurlLoop::CurlLoop()
    : epoll_(opened(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
      bell_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      multi_(make_multi()) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = bell_.number()}};
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, bell_.number(), &event) != 0) std::abort();
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
}

CurlLoop::~CurlLoop() = default;

int CurlLoop::on_timer(CURLM*, long timeout_ms, void* self) {
  auto& timer = static_cast<CurlLoop*>(self)->timer_;
  timer = timeout_ms < 0 ? std::nullopt : std::optional(Steady::now() + std::chrono::milliseconds(timeout_ms));
  return 0;
}

int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  static_cast<CurlLoop*>(self)->watch(socket, what, known != nullptr);
  return 0;
}

// `known` sockets have us as what curl_multi_assign() keeps.
void CurlLoop::watch(curl_socket_t socket, int what, bool known) {
  epoll_event event{.events = 0, .data = {.fd = socket}};
  if (what == CURL_POLL_REMOVE) {
    // It may be closed already, which took it out.
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, socket, &event);
    return;
  }
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
  int done = ::epoll_ctl(epoll_.number(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  // The number of a closed socket may have come back.
  if (done != 0 && (errno == ENOENT || errno == EEXIST))
    done = ::epoll_ctl(epoll_.number(), errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
  if (done != 0) log(Level::error, "upstream", "a socket cannot be watched", {{"errno", errno}});
  if (!known) curl_multi_assign(multi_.get(), socket, this);
}

void CurlLoop::collect(const std::function<void(CURL*, CURLcode)>& finished) {
  if (timer_ && *timer_ <= Steady::now()) {
    timer_.reset();
    int running = 0;
    curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
  }
  int queued = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &queued)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message dies with its handle.
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    finished(easy, code);
  }
}

void CurlLoop::wait(Duration most) {
  if (timer_) most = std::min(most, std::chrono::ceil<Duration>(*timer_ - Steady::now()));
  std::array<epoll_event, 64> ready{};
  const auto timeout_ms = static_cast<int>(std::clamp<std::int64_t>(most.count(), 0, 60'000));
  const int count = ::epoll_wait(epoll_.number(), ready.data(), static_cast<int>(ready.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const auto& event = ready[static_cast<std::size_t>(i)];
    if (event.data.fd == bell_.number()) {
      std::uint64_t rung = 0;
      [[maybe_unused]] const auto read = ::read(bell_.number(), &rung, sizeof rung);
      continue;
    }
    // What went wrong with a socket is found by reading it.
    int ways = 0;
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ways |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) ways |= CURL_CSELECT_OUT;
    int running = 0;
    curl_multi_socket_action(multi_.get(), event.data.fd, ways, &running);
  }
}

void CurlLoop::wake() {
  const std::uint64_t once = 1;
  [[maybe_unused]] const auto written = ::write(bell_.number(), &once, sizeof once);
}

}  // namespace picket::upstream

// libcurl's multi interface driven by what happens: a turn costs what has become ready, not what is open.
// (curl_multi_poll and curl_multi_perform ask every handle in each turn.)
//
// THREADS  wake() from any, while this lives; all else from one.
#pragma once

#include "buffer/clock.h"
#include "buffer/descriptor.h"
#include "upstream/curl_options.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace picket::upstream {

class CurlLoop {
 public:
  CurlLoop();
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // Handles are added and removed there.
  CURLM* multi() const { return multi_.get(); }

  // Lets libcurl do what its timers ask for (new handles begin so), and tells who has finished. `finished`
  // may add and remove handles.
  void collect(const std::function<void(CURL* easy, CURLcode code)>& finished);

  // Until a socket or a timer is due, wake() was called, or so long. Sockets that are ready are served.
  void wait(Duration most);
  void wake();

 private:
  using Steady = std::chrono::steady_clock;

  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void watch(curl_socket_t socket, int what, bool known);

  const buffer::Descriptor epoll_;
  const buffer::Descriptor bell_;
  std::optional<Steady::time_point> timer_;
  std::unique_ptr<CURLM, CloseMulti> multi_;  // calls on_socket() while it is closed
};

}  // namespace picket::upstream

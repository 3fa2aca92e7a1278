// What the sockets of one destination have really put on the wire and taken from it: the payload that
// TCP carried, with handshakes of TLS, heads, answers and what TCP had to send again. The kernel counts.
//
// THREADS    Belongs to the forwarder's worker. Outlives libcurl's connections.
#pragma once

#include "upstream/link_status.h"

#include <curl/curl.h>

#include <set>

namespace picket::upstream {

class WireMeter {
 public:
  WireMeter() = default;
  WireMeter(const WireMeter&) = delete;
  WireMeter& operator=(const WireMeter&) = delete;

  // Sockets that `easy` opens from now on are counted, until they are closed. With `paced`, little
  // waits in the kernel, so that a pace that is set here is the wire's.
  void watch(CURL* easy, bool paced);
  // Since the beginning.
  WireBytes total() const;

 private:
  static int on_open(void* self, curl_socket_t socket, curlsocktype purpose);
  static int on_paced_open(void* self, curl_socket_t socket, curlsocktype purpose);
  static int on_close(void* self, curl_socket_t socket);

  std::set<curl_socket_t> open_;
  WireBytes closed_;
};

}  // namespace picket::upstream

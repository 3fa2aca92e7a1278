#include "upstream/wire_meter.h"

#include "upstream/curl_options.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>

namespace picket::upstream {
namespace {

constexpr int most_unsent_bytes = 16 << 10;

WireBytes read_meter(curl_socket_t socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  // Before Linux 4.19 the kernel does not say what was sent, only what arrived.
  const bool says_sent = size >= offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent;
  return {says_sent ? info.tcpi_bytes_sent : info.tcpi_bytes_acked, info.tcpi_bytes_received};
}

}  // namespace

void WireMeter::watch(CURL* easy, bool paced) {
  set_option(easy, CURLOPT_SOCKOPTFUNCTION, paced ? &WireMeter::on_paced_open : &WireMeter::on_open);
  set_option(easy, CURLOPT_SOCKOPTDATA, static_cast<void*>(this));
  set_option(easy, CURLOPT_CLOSESOCKETFUNCTION, &WireMeter::on_close);
  set_option(easy, CURLOPT_CLOSESOCKETDATA, static_cast<void*>(this));
}

int WireMeter::on_open(void* self, curl_socket_t socket, curlsocktype) {
  static_cast<WireMeter*>(self)->open_.insert(socket);
  return CURL_SOCKOPT_OK;
}

int WireMeter::on_paced_open(void* self, curl_socket_t socket, curlsocktype purpose) {
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent_bytes, sizeof most_unsent_bytes);
  return on_open(self, socket, purpose);
}

int WireMeter::on_close(void* self, curl_socket_t socket) {
  auto& meter = *static_cast<WireMeter*>(self);
  if (meter.open_.erase(socket) > 0) {
    const WireBytes last = read_meter(socket);
    meter.closed_.sent += last.sent;
    meter.closed_.received += last.received;
  }
  return ::close(socket);
}

WireBytes WireMeter::total() const {
  WireBytes sum = closed_;
  for (const curl_socket_t socket : open_) {
    const WireBytes now = read_meter(socket);
    sum.sent += now.sent;
    sum.received += now.received;
  }
  return sum;
}

}  // namespace picket::upstream

// A blocking raw-socket HTTP client for tests: sends exactly the bytes it is told, reads one reply
// at a time, and notices when the server hangs up. No TLS, no redirects, no help.
//
// THREADS  An object belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::testing {

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  int status = 0;
  std::string head;  // status line and fields as received, without the empty line
  HttpFields headers;
  std::string body;  // chunks joined

  // The first value with that name (ASCII case-insensitive), "" when absent.
  std::string_view header(std::string_view name) const;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port, const std::string& address = "127.0.0.1");
  ~HttpClient();
  HttpClient(HttpClient&& other) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpClient& operator=(HttpClient&&) = delete;

  bool connected() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  // False when the server has gone before all was sent.
  bool send(std::string_view bytes);
  // The next reply, interim ones (1xx) included; nothing when the connection ends or `timeout`
  // passes first. A reply to HEAD has no body: say so.
  std::optional<HttpReply> read_reply(bool to_head = false,
                                      std::chrono::milliseconds timeout = std::chrono::seconds(30));
  // Sends one request with Host and (for a body) Content-Length, reads its reply.
  std::optional<HttpReply> request(std::string_view method,
                                   std::string_view target,
                                   std::string_view body = {},
                                   const HttpFields& headers = {});
  // True when the server closes (or resets) before `timeout`; unread replies are thrown away.
  bool closed_within(std::chrono::milliseconds timeout);
  void shutdown_write();
  void close();

 private:
  // One more piece of the stream into buffer_; false at its end or at `deadline`.
  bool receive(std::chrono::steady_clock::time_point deadline);
  bool read_chunks(HttpReply& reply, std::chrono::steady_clock::time_point deadline);
  std::optional<std::string> read_line(std::chrono::steady_clock::time_point deadline);
  std::optional<std::string> read_bytes(std::size_t count,
                                        std::chrono::steady_clock::time_point deadline);

  int descriptor_ = -1;
  std::string buffer_;  // received, not yet given out
};

std::string render_http_request(std::string_view method,
                                std::string_view target,
                                std::string_view body = {},
                                const HttpFields& headers = {});

}  // namespace picket::testing

#include "support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace picket::testing {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::size_t parse_size(std::string_view text, int base) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

int open_socket(const std::string& address, std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const bool is_v4 = ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1) return -1;

  const int fd = ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int rc = is_v4 ? ::connect(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof v4)
                       : ::connect(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  if (rc != 0) {
    ::close(fd);
    return -1;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

HttpReply parse_head(std::string head) {
  HttpReply reply;
  reply.head = std::move(head);
  std::string_view rest = reply.head;
  bool first = true;
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    const auto colon = line.find(':');
    if (first) {
      reply.status =
          static_cast<int>(parse_size(line.substr(std::min(line.size(), line.find(' ') + 1)), 10));
      first = false;
    } else if (colon != std::string_view::npos) {
      const auto value = line.substr(std::min(line.size(), line.find_first_not_of(' ', colon + 1)));
      reply.headers.emplace_back(line.substr(0, colon), value);
    }
  }
  return reply;
}

}  // namespace

std::string_view HttpReply::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_name(field, name)) return value;
  }
  return {};
}

HttpClient::HttpClient(std::uint16_t port, const std::string& address)
    : descriptor_(open_socket(address, port)) {}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

HttpClient::~HttpClient() {
  close();
}

void HttpClient::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void HttpClient::shutdown_write() {
  ::shutdown(descriptor_, SHUT_WR);
}

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpClient::receive(SteadyTime deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd waiting{descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) <= 0)
    return false;
  char piece[64 * 1024];
  const auto got = ::recv(descriptor_, piece, sizeof piece, 0);
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> HttpClient::read_line(SteadyTime deadline) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!receive(deadline)) return std::nullopt;
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

std::optional<std::string> HttpClient::read_bytes(std::size_t count, SteadyTime deadline) {
  while (buffer_.size() < count) {
    if (!receive(deadline)) return std::nullopt;
  }
  std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return bytes;
}

bool HttpClient::read_chunks(HttpReply& reply, SteadyTime deadline) {
  for (;;) {
    const auto line = read_line(deadline);
    if (!line) return false;
    const auto size = parse_size(*line, 16);
    const auto piece = read_bytes(size, deadline);
    if (!piece || !read_line(deadline)) return false;
    if (size == 0) return true;
    reply.body += *piece;
  }
}

std::optional<HttpReply> HttpClient::read_reply(bool to_head, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(deadline)) return std::nullopt;
  }
  HttpReply reply = parse_head(buffer_.substr(0, end));
  buffer_.erase(0, end + 4);

  const bool bodiless = to_head || reply.status < 200 || reply.status == 204 || reply.status == 304;
  if (bodiless) return reply;
  if (same_name(reply.header("Transfer-Encoding"), "chunked")) {
    if (!read_chunks(reply, deadline)) return std::nullopt;
    return reply;
  }
  auto body = read_bytes(parse_size(reply.header("Content-Length"), 10), deadline);
  if (!body) return std::nullopt;
  reply.body = std::move(*body);
  return reply;
}

std::optional<HttpReply> HttpClient::request(std::string_view method,
                                             std::string_view target,
                                             std::string_view body,
                                             const HttpFields& headers) {
  // A refusal may arrive, and the connection end, before all of a big body was taken.
  send(render_http_request(method, target, body, headers));
  return read_reply(method == "HEAD");
}

bool HttpClient::closed_within(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (receive(deadline)) {
  }
  return std::chrono::steady_clock::now() < deadline;
}

std::string render_http_request(std::string_view method,
                                std::string_view target,
                                std::string_view body,
                                const HttpFields& headers) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
  for (const auto& [name, value] : headers)
    text.append(name).append(": ").append(value).append("\r\n");
  if (!body.empty() || method == "POST" || method == "PUT") {
    text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  return text.append("\r\n").append(body);
}

}  // namespace picket::testing

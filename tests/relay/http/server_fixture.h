// A server on an ephemeral loopback port, for the tests of this folder.
#pragma once

#include "relay/http/server.h"
#include "support/http_client.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace picket::http {

using testing::HttpClient;
using testing::HttpFields;
using testing::HttpReply;
using testing::render_http_request;
using namespace std::chrono_literals;

inline ServerOptions loopback_options() {
  ServerOptions options;
  options.port = 0;
  options.drain_timeout = 20s;
  return options;
}

inline Admission admit_all(const RequestHead& /*head*/) {
  return ReadBody{};
}

// "POST /path?query\n" and the body that came.
inline Response echo(const Request& request) {
  Response response;
  response.content_type = "text/plain";
  response.body = request.head.method + " " + request.head.target + "\n";
  response.body += request.body;
  return response;
}

inline Service echo_service(std::size_t max_body_bytes = std::size_t{1} << 20) {
  return {[max_body_bytes](const RequestHead&) {
            return ReadBody{max_body_bytes, false};
          },
          [](const Request& request, Responder responder) {
            std::move(responder).respond(echo(request));
          }};
}

// The server, or a failed expectation and a null pointer.
std::unique_ptr<Server> start_server(const ServerOptions& options, Service service);

// How long a test waits for what must come: a busy machine decides nothing.
constexpr std::chrono::milliseconds patience = 30s;

// Polls until `condition` holds; false when it never does.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

}  // namespace picket::http

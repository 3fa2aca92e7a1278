// HTTP as the rest of Picket sees it: values, no sockets.
#pragma once

#include "buffer/bytes.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace picket::http {

// A few dozen fields at most: a vector is faster than a map, and keeps order and repetitions.
class Headers {
 public:
  // The first value with that name (ASCII case-insensitive), "" when absent.
  std::string_view find(std::string_view name) const;
  bool contains(std::string_view name) const;
  void add(std::string name, std::string value);
  void set(std::string name, std::string value);
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct RequestHead {
  std::string method;  // as sent: "GET"
  std::string target;  // as sent, path and query
  std::string path;    // percent-encoding kept, runs of '/' folded to one
  std::string query;   // after '?', undecoded
  Headers headers;
  std::string peer;  // the socket's address, without port
  bool tls = false;
};

// Takes a body piece by piece as it comes in, in place of Request::body. Let go when the connection
// breaks off: what it has taken by then it may keep.
class BodySink {
 public:
  struct Stop {
    unsigned status = 503;
    std::string_view detail;  // of static storage
  };
  virtual ~BodySink() = default;
  // On the I/O thread, like admit(): must not wait. A Stop ends the request with that answer.
  virtual std::optional<Stop> take(std::string_view piece) = 0;
};

struct Request {
  RequestHead head;
  buffer::Bytes body;                         // a large one lies in a file
  std::shared_ptr<BodySink> body_sink = {};  // the one that admission named; it has the body
};

struct Response {
  unsigned status = 200;
  // Content-Length, Date, Server and Connection are the server's own. A name that is no token, or a
  // value with a control character, turns the response into a 500.
  Headers headers;
  std::string body;
  std::string content_type = "application/json";  // not sent when empty or the body is
  buffer::Bytes file = {};  // sent behind `body`, from where it lies
};

// The one right to answer a request. Moves with the work; respond() from any thread, once. A
// responder that dies unused answers 500.
class Responder {
 public:
  // Implemented by the server's session.
  struct Sink {
    virtual ~Sink() = default;
    virtual void send(Response response) = 0;  // from any thread
  };
  explicit Responder(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;  // what it held before is answered 500
  ~Responder();
  void respond(Response response) &&;

 private:
  std::shared_ptr<Sink> sink_;
};

// What to do with a request whose head has been read: answer it unread (the connection is closed
// after that, unless the request has no body), or read its body.
struct ReadBody {
  std::size_t max_bytes = 1 << 20;  // of the body as sent; more answers 413
  // Where the handler runs: on the I/O thread (must neither block nor take long: ingest), or on the
  // pool for slow work (the REST API).
  bool on_pool = false;
  std::shared_ptr<BodySink> sink = {};  // none: the body becomes Request::body
};
using Admission = std::variant<ReadBody, Response>;

// Everything the server serves. THREADS: both are called from several threads at once.
struct Service {
  std::function<Admission(const RequestHead&)> admit;
  std::function<void(Request, Responder)> handle;
  // Told of a request that was admitted and whose body the server then refused (413 past
  // max_bytes, 503 without room for it, 400 for wrong framing); may change the answer. May be empty.
  std::function<void(const RequestHead&, Response&)> on_refused = {};
};

// Percent-decoding ('+' is a space only in queries), and the pairs of a query string in order.
std::string percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);  // everything but unreserved characters
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);
// "GET", 404 → "Not Found"
std::string_view reason_phrase(unsigned status);

}  // namespace picket::http

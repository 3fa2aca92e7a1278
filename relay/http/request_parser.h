// One HTTP/1.x request out of a stream of bytes, whatever the pieces it arrives in.
//
// INVARIANT  Never holds more than the header and body limits allow, and of the body no more in
//            memory than the room given for it.
// INVARIANT  Bytes past the request's end are never used: they belong to the next one.
#pragma once

#include "buffer/spool.h"
#include "relay/http/message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace picket::http {

class RequestParser {
 public:
  enum class State : std::uint8_t { need_more, done, failed };
  struct Progress {
    State state = State::need_more;
    std::size_t used = 0;  // present the rest again, with what arrives
  };
  // What to answer after State::failed.
  struct Failure {
    unsigned status = 400;
    std::string_view detail;
  };

  static std::unique_ptr<RequestParser> make(std::size_t max_header_bytes);
  virtual ~RequestParser() = default;

  virtual Progress parse_head(std::string_view bytes) = 0;

  // REQUIRES, of all below: parse_head() has said done.
  virtual Progress parse_body(std::string_view bytes) = 0;
  virtual const RequestHead& head() const = 0;
  virtual bool has_body() const = 0;                                // some is still to come
  virtual std::optional<std::uint64_t> content_length() const = 0;  // absent when chunked
  virtual bool keep_alive() const = 0;
  virtual bool is_http10() const = 0;
  virtual bool expects_continue() const = 0;
  // With a sink the body goes there and nowhere else.
  virtual void limit_body(std::size_t max_bytes,
                          const buffer::ByteRoom& room,
                          std::shared_ptr<BodySink> sink = {}) = 0;
  virtual RequestHead& head_to_fill() = 0;  // for peer and tls, which the bytes do not tell
  virtual Request take() = 0;               // once

  virtual Failure failure() const = 0;

 protected:
  RequestParser() = default;
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;
};

// Path and query of a request target: the origin of the absolute form is dropped, runs of '/' fold.
void split_target(RequestHead& head);

}  // namespace picket::http

// One connection: reads a request, has it answered, writes the response, and again.
//
//   handshake ─► head ─► body ─► handling ─► writing ─┬─► head …
//                  └───────┴──── refusal ────►        ├─► lingering ─► closed
//                                                     └─► closed
//
// INVARIANT  One request at a time; the next one's bytes stay unread, or in unread_.
// INVARIANT  An idle session holds no buffer.
// THREADS    send() from any thread, everything else on the session's I/O thread.
#pragma once

#include "buffer/bytes.h"
#include "relay/http/deadlines.h"
#include "relay/http/io_loop.h"
#include "relay/http/io_thread.h"
#include "relay/http/message.h"
#include "relay/http/request_parser.h"
#include "relay/http/transport.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace picket::http {

class Session final : public Responder::Sink,
                      public ReadyListener,
                      public Waiter,
                      public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<IoThread> thread, Accepted accepted);

  void start();
  void send(Response response) override;
  void answer(Response response);  // ignored when the connection has gone
  void drain();                    // the server stops: end when idle, or after the answer
  void close();

  void on_ready() override;
  void on_deadline() override;

 private:
  enum class Phase : std::uint8_t { handshake, head, body, handling, writing, lingering, closed };
  enum class Next : std::uint8_t { read_body, next_request, linger, close };

  bool reading() const { return phase_ == Phase::head || phase_ == Phase::body; }
  bool idle() const { return phase_ == Phase::head && !parser_; }
  void wait(Direction direction) { descriptor_.wait(direction, shared_from_this()); }

  void shake_hands();
  void read_more();
  void discard();
  void take(std::string_view fresh);
  void process();
  bool step();
  bool parse_head();
  bool parse_body();
  void admit();
  void read_body(const ReadBody& terms);
  void dispatch();

  void refuse(unsigned status, std::string_view detail);
  void refuse_body(unsigned status, std::string_view detail);
  void respond(Response response);
  void write(std::string body, Next next);
  bool send_rest();
  void write_more();
  void written();
  void go_on();
  void linger();

  const std::shared_ptr<IoThread> thread_;
  Descriptor descriptor_;
  Transport transport_;
  const std::string peer_;

  Phase phase_ = Phase::head;
  Next next_ = Next::next_request;
  bool processing_ = false;
  bool in_handler_ = false;
  bool on_pool_ = false;
  bool head_timed_ = false;  // the header timeout runs
  bool keep_alive_ = true;   // of the request under way, as the following two
  bool http10_ = false;
  bool to_head_ = false;

  std::unique_ptr<RequestParser> parser_;  // while a request is read
  std::optional<Response> answered_;       // within the handler, on this thread
  std::string_view inbox_;                 // what process() works on: the read buffer, or unread_
  std::string unread_;                     // received, not yet parsed
  std::string unsent_;                     // the rest of a response that the socket did not take
  std::size_t sent_ = 0;                   // of unsent_
  buffer::Bytes file_;                     // what is to be sent behind it
  std::size_t file_sent_ = 0;
  std::size_t discarded_ = 0;              // while lingering
};

}  // namespace picket::http

// The second half of a session's life: from an answer to the next request.
#include "buffer/logger.h"
#include "relay/http/response_head.h"
#include "relay/http/session.h"
#include "relay/http/shared.h"

#include <exception>
#include <utility>

namespace picket::http {
namespace {

// With TLS a body is joined to its head; the buffer does not stay that large for ever.
constexpr std::size_t kept_head_bytes = std::size_t{256} * 1024;

// A file is sent in such pieces, so many in a row before other connections have their turn.
constexpr std::size_t file_piece_bytes = std::size_t{256} * 1024;
constexpr int file_pieces_in_a_row = 16;

}  // namespace

void Session::answer(Response response) {
  if (phase_ != Phase::handling) return;
  respond(std::move(response));
  go_on();
}

void Session::refuse(unsigned status, std::string_view detail) {
  keep_alive_ = false;
  respond(error_response(status, detail));
}

// Of a request that was admitted.
void Session::refuse_body(unsigned status, std::string_view detail) {
  keep_alive_ = false;
  auto response = error_response(status, detail);
  if (status == 503) response.headers.add("Retry-After", "1");
  const auto& on_refused = thread_->shared()->service.on_refused;
  try {
    if (on_refused) on_refused(parser_->head(), response);
  } catch (const std::exception& error) {
    log(Level::error, "http", "a refusal was not counted", {{"reason", error.what()}});
  }
  respond(std::move(response));
}

// The request may still be unread in part: parser_ is there exactly then.
void Session::respond(Response response) {
  if (!is_safe(response)) {
    log(Level::error, "http", "response header refused", {{"status", response.status}});
    response = error_response(500, "internal error");
  }
  const bool close_after = !keep_alive_ || thread_->draining();
  auto& head = thread_->head_buffer();
  if (head.capacity() > kept_head_bytes) head = {};
  head.clear();
  render_head(head, response, {thread_->date(), close_after, http10_});
  const bool has_body = !to_head_ && !is_bodiless(response.status);
  if (!has_body) response.body.clear();
  if (has_body) file_ = std::move(response.file);
  const bool sender_may_go_on = parser_ != nullptr || thread_->draining();
  const Next closing = sender_may_go_on ? Next::linger : Next::close;
  parser_.reset();
  write(std::move(response.body), close_after ? closing : Next::next_request);
}

// Writes the thread's head buffer and `body`.
void Session::write(std::string body, Next next) {
  phase_ = Phase::writing;
  next_ = next;
  auto& head = thread_->head_buffer();
  if (transport_.tls()) {  // one record, and a remainder that is the same bytes
    head += body;
    body.clear();
  }
  const auto done = transport_.write(head, body);
  if (done.state == Transfer::State::ended) return close();
  if (done.state == Transfer::State::moved) {
    if (file_.empty()) return written();
    thread_->arm(Waiting::write, *this);
    if (send_rest()) written();
    return;
  }

  if (done.bytes >= head.size()) {
    unsent_ = std::move(body);
    sent_ = done.bytes - head.size();
  } else {
    unsent_.assign(head, done.bytes);
    unsent_ += body;
    sent_ = 0;
  }
  thread_->arm(Waiting::write, *this);
  wait(done.direction);
}

void Session::write_more() {
  if (!send_rest()) return;
  written();
  go_on();
}

// What is left of the response: true when all of it has gone, false when that waits, or never will.
bool Session::send_rest() {
  for (int pieces = 0; pieces < file_pieces_in_a_row; ++pieces) {
    const bool from_file = sent_ == unsent_.size();
    const auto rest = from_file ? file_.view().substr(file_sent_, file_piece_bytes) : std::string_view(unsent_).substr(sent_);
    if (rest.empty()) {
      unsent_ = {};
      file_ = {};
      sent_ = file_sent_ = 0;
      return true;
    }
    const auto done = transport_.write(rest, {});
    if (done.state == Transfer::State::ended) {
      close();
      return false;
    }
    (from_file ? file_sent_ : sent_) += done.bytes;
    if (done.bytes > 0) thread_->arm(Waiting::write, *this);
    if (done.state == Transfer::State::blocked) {
      wait(done.direction);
      return false;
    }
  }
  wait(Direction::write);
  return false;
}

void Session::written() {
  leave();
  switch (next_) {
    case Next::read_body:
      phase_ = Phase::body;
      thread_->arm(Waiting::body, *this);
      return;
    case Next::next_request: phase_ = Phase::head; return;
    case Next::linger: return linger();
    case Next::close: return close();
  }
}

// After a response that was not written from within process().
void Session::go_on() {
  if (!reading()) return;
  process();
  if (!reading()) return;
  if (transport_.pending()) return read_more();
  wait(Direction::read);
}

void Session::linger() {
  phase_ = Phase::lingering;
  inbox_ = {};
  unread_ = {};
  transport_.shutdown_write();
  thread_->arm(Waiting::linger, *this);
  wait(Direction::read);
}

}  // namespace picket::http

#include "relay/http/session.h"

#include "buffer/logger.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

namespace picket::http {
namespace {

// Reads in a row before other connections of the thread have their turn.
constexpr int reads_in_a_row = 16;
// What a refused sender may still send, so that it reads the answer and not a reset.
constexpr std::size_t linger_bytes = std::size_t{8} << 20;

// With TLS a body is joined to its head; the buffer does not stay that large for ever.
constexpr std::size_t kept_head_bytes = std::size_t{256} * 1024;

Transport make_transport(int descriptor, const Shared& shared) {
  return shared.tls ? Transport(descriptor, *shared.tls) : Transport(descriptor);
}

Admission admission_of(const Shared& shared, const RequestHead& head) {
  try {
    return shared.service.admit(head);
  } catch (const std::exception& error) {
    log(Level::error, "http", "admission failed", {{"reason", error.what()}});
    return error_response(500, "internal error");
  }
}

}  // namespace

Session::Session(std::shared_ptr<IoThread> thread, Accepted accepted)
    : thread_(std::move(thread)),
      descriptor_(thread_->loop(), accepted.descriptor.get()),
      transport_(make_transport(accepted.descriptor.release(), *thread_->shared())),
      peer_(std::move(accepted.peer)) {}

void Session::start() {
  if (transport_.tls()) {
    phase_ = Phase::handshake;
    thread_->arm(Waiting::header, *this);
  } else {
    thread_->arm(Waiting::idle, *this);
  }
  wait(Direction::read);
}

void Session::send(Response response) {
  if (thread_->is_here() && in_handler_) {
    answered_ = std::move(response);
  } else {
    thread_->finish(shared_from_this(), std::move(response));
  }
}

void Session::on_ready() {
  switch (phase_) {
    case Phase::handshake: return shake_hands();
    case Phase::head:
    case Phase::body: return read_more();
    case Phase::writing: return write_more();
    case Phase::lingering: return discard();
    case Phase::handling:
    case Phase::closed: return;
  }
}

void Session::on_deadline() {
  const auto self = shared_from_this();
  if (!idle() && phase_ != Phase::lingering) ++thread_->shared()->timeouts;
  if (phase_ == Phase::head && parser_) {
    refuse(408, "the request's header took too long");
  } else {
    close();
  }
}

void Session::drain() {
  if (phase_ == Phase::handshake) return close();
  if (!idle()) return;
  // A request may have arrived that the loop has not come to yet.
  read_more();
  if (idle()) close();
}

void Session::close() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  phase_ = Phase::closed;
  leave();
  descriptor_.close();
  parser_.reset();
  inbox_ = {};
  unread_ = {};
  unsent_ = {};
  thread_->forget(self);
}

// ---- reading
// -------------------------------------------------------------------------------------

void Session::shake_hands() {
  const auto shaken = transport_.shake_hands();
  if (shaken.state == Transfer::State::ended) return close();
  if (shaken.state == Transfer::State::blocked) return wait(shaken.direction);
  phase_ = Phase::head;
  thread_->arm(Waiting::idle, *this);
  read_more();
}

void Session::read_more() {
  const auto buffer = thread_->read_buffer();
  for (int reads = 0; reads < reads_in_a_row || transport_.pending(); ++reads) {
    const auto got = transport_.read(buffer);
    if (got.state == Transfer::State::ended) return close();
    if (got.state == Transfer::State::blocked) return wait(got.direction);
    take({buffer.data(), got.bytes});
    if (!reading()) return;
    // A short read has emptied the socket, and waiting notices what came since.
    if (got.bytes < buffer.size() && !transport_.tls()) break;
  }
  wait(Direction::read);
}

void Session::discard() {
  const auto buffer = thread_->read_buffer();
  for (int reads = 0; reads < reads_in_a_row || transport_.pending(); ++reads) {
    const auto got = transport_.read(buffer);
    discarded_ += got.bytes;
    if (got.state == Transfer::State::ended || discarded_ > linger_bytes) return close();
    if (got.state == Transfer::State::blocked) break;
  }
  wait(Direction::read);
}

void Session::take(std::string_view fresh) {
  if (inbox_.empty()) {
    inbox_ = fresh;
  } else {
    unread_.erase(0, unread_.size() - inbox_.size());
    unread_ += fresh;
    inbox_ = unread_;
  }
  if (phase_ == Phase::body) thread_->arm(Waiting::body, *this);
  process();
}

// Works through inbox_ for as long as it holds what can be worked on; what is left is kept.
void Session::process() {
  if (processing_) return;
  processing_ = true;
  while (reading() && step()) {
  }
  processing_ = false;

  if (inbox_.empty()) {
    unread_ = {};
  } else if (inbox_.data() < unread_.data() || inbox_.data() >= unread_.data() + unread_.size()) {
    unread_ = inbox_;
    inbox_ = unread_;
  }
  if (!idle()) return;
  if (thread_->draining()) return close();
  thread_->arm(Waiting::idle, *this);
}

// False when more bytes are needed, or the session has left the reading phases.
bool Session::step() {
  return phase_ == Phase::head ? parse_head() : parse_body();
}

bool Session::parse_head() {
  if (inbox_.empty()) return false;
  if (!parser_) {
    parser_ = RequestParser::make(thread_->shared()->options.max_header_bytes);
    head_timed_ = false;
  }
  const auto parsed = parser_->parse_head(inbox_);
  inbox_.remove_prefix(parsed.used);
  switch (parsed.state) {
    case RequestParser::State::need_more:
      if (!std::exchange(head_timed_, true)) thread_->arm(Waiting::header, *this);
      return false;
    case RequestParser::State::failed: {
      const auto failure = parser_->failure();
      refuse(failure.status, failure.detail);
      return false;
    }
    case RequestParser::State::done: break;
  }
  admit();
  return reading();
}

bool Session::parse_body() {
  const auto parsed = parser_->parse_body(inbox_);
  inbox_.remove_prefix(parsed.used);
  switch (parsed.state) {
    case RequestParser::State::need_more: return false;
    case RequestParser::State::failed: {
      const auto failure = parser_->failure();
      refuse_body(failure.status, failure.detail);
      return false;
    }
    case RequestParser::State::done: break;
  }
  dispatch();
  return reading();
}

void Session::admit() {
  thread_->shared()->requests.fetch_add(1, std::memory_order_relaxed);
  RequestHead& head = parser_->head_to_fill();
  head.peer = peer_;
  head.tls = transport_.tls();
  keep_alive_ = parser_->keep_alive();
  http10_ = parser_->is_http10();
  to_head_ = head.method == "HEAD";

  auto admission = admission_of(*thread_->shared(), head);
  if (const auto* terms = std::get_if<ReadBody>(&admission)) return read_body(*terms);

  const bool unread_body = parser_->has_body();
  keep_alive_ = keep_alive_ && !unread_body;
  if (!unread_body) parser_.reset();
  respond(std::get<Response>(std::move(admission)));
}

void Session::read_body(const ReadBody& terms) {
  on_pool_ = terms.on_pool;
  if (!parser_->has_body()) return dispatch();
  if (parser_->content_length().value_or(0) > terms.max_bytes) {
    return refuse_body(413, "the request body is too large");
  }
  const Shared& shared = *thread_->shared();
  parser_->limit_body(terms.max_bytes, {shared.options.spool, shared.body_memory});
  phase_ = Phase::body;
  thread_->arm(Waiting::body, *this);
  if (!parser_->expects_continue() || !inbox_.empty()) return;
  thread_->head_buffer() = "HTTP/1.1 100 Continue\r\n\r\n";
  write({}, Next::read_body);
}

void Session::dispatch() {
  phase_ = Phase::handling;
  leave();
  Request request = parser_->take();
  parser_.reset();

  const Shared& shared = *thread_->shared();
  Responder responder(shared_from_this());
  in_handler_ = true;
  if (!on_pool_) {
    run_handler(shared, std::move(request), std::move(responder));
  } else if (!shared.pool->offer(request, responder)) {
    auto full = error_response(503, "too many requests are waiting");
    full.headers.add("Retry-After", "1");
    std::move(responder).respond(std::move(full));
  }
  in_handler_ = false;
  if (answered_) {
    Response response = std::move(*answered_);
    answered_.reset();
    respond(std::move(response));
  }
}

// ---- writing
// -------------------------------------------------------------------------------------

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
  if (to_head_ || is_bodiless(response.status)) response.body.clear();
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
  if (done.state == Transfer::State::moved) return written();

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
  const auto done = transport_.write(std::string_view(unsent_).substr(sent_), {});
  if (done.state == Transfer::State::ended) return close();
  sent_ += done.bytes;
  if (done.state == Transfer::State::blocked) {
    if (done.bytes > 0) thread_->arm(Waiting::write, *this);
    return wait(done.direction);
  }
  unsent_ = {};
  sent_ = 0;
  written();
  go_on();
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

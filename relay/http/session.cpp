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
  file_ = {};
  thread_->forget(self);
}

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
  const Shared& shared = *thread_->shared();
  if (parser_->has_body() || terms.sink)
    parser_->limit_body(terms.max_bytes, {shared.options.spool, shared.body_memory}, terms.sink);
  if (!parser_->has_body()) return dispatch();
  if (parser_->content_length().value_or(0) > terms.max_bytes) {
    return refuse_body(413, "the request body is too large");
  }
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

}  // namespace picket::http

#include "relay/http/io_thread.h"

#include "buffer/logger.h"
#include "relay/http/session.h"

#include <chrono>
#include <exception>
#include <utility>

namespace picket::http {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_buffer_bytes = std::size_t{64} * 1024;
constexpr auto linger_timeout = 3s;
constexpr auto accept_pause = 100ms;
// Deadlines closer together than this are looked at together.
constexpr auto alarm_grain = 10ms;

Deadlines::Patience patience(const ServerOptions& options) {
  return {options.idle_timeout,  options.header_timeout, options.body_idle_timeout,
          options.write_timeout, linger_timeout,         accept_pause};
}

}  // namespace

IoThread::IoThread(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)),
      deadlines_(patience(shared_->options)),
      read_buffer_(read_buffer_bytes) {
  loop_.set({[this] { on_wake(); }, [this] { on_alarm(); }});
}

IoThread::~IoThread() = default;

void IoThread::run(std::function<void()> on_drain) {
  on_drain_ = std::move(on_drain);
  loop_.run();
  on_drain_ = nullptr;
}

void IoThread::wake_locked() {
  if (std::exchange(woken_, true)) return;
  loop_.wake();
}

void IoThread::adopt(Accepted accepted) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    --shared_->connections_open;
    return;
  }
  accepted_.push_back(std::move(accepted));
  wake_locked();
}

void IoThread::finish(std::shared_ptr<Session> session, Response response) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  finished_.push_back({std::move(session), std::move(response)});
  wake_locked();
}

void IoThread::advance(Stage stage) {
  const std::lock_guard lock(mutex_);
  if (closed_ || stage <= wanted_stage_) return;
  wanted_stage_ = stage;
  wake_locked();
}

void IoThread::on_wake() {
  Stage wanted = Stage::serving;
  {
    const std::lock_guard lock(mutex_);
    wanted = wanted_stage_;
    if (finished_.empty() && accepted_.empty() && wanted == stage_) {
      woken_ = false;
      return;
    }
    finished_batch_.swap(finished_);
    accepted_batch_.swap(accepted_);
  }
  for (auto& accepted : accepted_batch_)
    open_session(std::move(accepted));
  accepted_batch_.clear();
  for (auto& [session, response] : finished_batch_)
    session->answer(std::move(response));
  finished_batch_.clear();
  if (wanted != stage_) enter(wanted);
  // What arrived meanwhile found woken_ set and is worked off after the sockets had their turn.
  loop_.wake();
}

void IoThread::on_alarm() {
  const auto now = std::chrono::steady_clock::now();
  alarm_ = SteadyTime::max();
  deadlines_.expire(now);
  const auto next = deadlines_.next();
  if (next < alarm_) set_alarm(std::max(next, now + alarm_grain));
}

void IoThread::set_alarm(SteadyTime at) {
  alarm_ = at;
  loop_.set_alarm(at);
}

// The patience of most waits is longer than what is left until the alarm: setting it is rare.
void IoThread::arm(Waiting cause, Waiter& waiter) {
  const auto deadline = deadlines_.arm(cause, waiter, std::chrono::steady_clock::now());
  if (deadline < alarm_) set_alarm(deadline);
}

std::string_view IoThread::date() {
  return date_.at(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
}

void IoThread::open_session(Accepted accepted) {
  if (stage_ != Stage::serving) {
    --shared_->connections_open;
    return;
  }
  try {
    auto session = std::make_shared<Session>(shared_from_this(), std::move(accepted));
    sessions_.insert(session);
    session->start();
  } catch (const std::exception& error) {  // epoll's limit of watches
    --shared_->connections_open;
    log(Level::warning, "http", "connection given up", {{"reason", error.what()}});
  }
}

void IoThread::forget(const std::shared_ptr<Session>& session) {
  if (sessions_.erase(session) == 0) return;
  --shared_->connections_open;
  end_if_done();
}

void IoThread::enter(Stage stage) {
  if (stage_ == Stage::serving && on_drain_) on_drain_();
  stage_ = stage;
  // Closing a session changes the set.
  const std::vector<std::shared_ptr<Session>> sessions(sessions_.begin(), sessions_.end());
  for (const auto& session : sessions) {
    if (stage == Stage::draining) {
      session->drain();
    } else {
      session->close();
    }
  }
  end_if_done();
}

void IoThread::end_if_done() {
  if (stage_ == Stage::serving || !sessions_.empty() || std::exchange(ended_, true)) return;
  std::vector<Finished> unheard;
  std::vector<Accepted> unserved;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    unheard.swap(finished_);
    unserved.swap(accepted_);
  }
  shared_->connections_open -= unserved.size();
  loop_.end();
}

}  // namespace picket::http

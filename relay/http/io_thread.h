// One thread and the connections that belong to it.
//
//   acceptor ── adopt() ──┐
//   any thread ─ finish() ┼─► mailbox ──► one wake-up per batch ──► the sessions, on their thread
//   stop() ── advance() ──┘
//
// INVARIANT  A session is touched on its thread only; what comes from elsewhere passes the mailbox.
// INVARIANT  While a batch is being worked off, what arrives costs no wake-up: two hundred answers
//            from one commit cost one.
// INVARIANT  After the thread's end the mailbox takes nothing: a late answer is dropped.
#pragma once

#include "relay/http/deadlines.h"
#include "relay/http/io_loop.h"
#include "relay/http/listen_socket.h"
#include "relay/http/message.h"
#include "relay/http/response_head.h"
#include "relay/http/shared.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace picket::http {

class Session;

// Where a server stands on its way out; only ever advances.
enum class Stage : std::uint8_t { serving, draining, closing };

class IoThread : public std::enable_shared_from_this<IoThread> {
 public:
  explicit IoThread(std::shared_ptr<Shared> shared);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // Serves until advance(draining) and the last session's end. `on_drain` is called once, first.
  void run(std::function<void()> on_drain);

  // From any thread.
  void adopt(Accepted accepted);
  void finish(std::shared_ptr<Session> session, Response response);
  void advance(Stage stage);

  // For sessions, on this thread.
  bool is_here() const { return loop_.on_own_thread(); }
  bool draining() const { return stage_ != Stage::serving; }
  const std::shared_ptr<Shared>& shared() const { return shared_; }
  IoLoop& loop() { return loop_; }
  std::span<char> read_buffer() { return read_buffer_; }  // valid until the next read
  std::string& head_buffer() { return head_buffer_; }     // valid until the next response
  std::string_view date();
  void arm(Waiting cause, Waiter& waiter);
  void forget(const std::shared_ptr<Session>& session);

 private:
  struct Finished {
    std::shared_ptr<Session> session;
    Response response;
  };
  void wake_locked();
  void on_wake();
  void on_alarm();
  void set_alarm(SteadyTime at);
  void enter(Stage stage);
  void open_session(Accepted accepted);
  void end_if_done();

  const std::shared_ptr<Shared> shared_;
  IoLoop loop_;

  std::mutex mutex_;
  std::vector<Finished> finished_;       // guarded by mutex_
  std::vector<Accepted> accepted_;       // guarded by mutex_
  Stage wanted_stage_ = Stage::serving;  // guarded by mutex_
  bool woken_ = false;                   // guarded by mutex_: a wake-up is under way
  bool closed_ = false;                  // guarded by mutex_

  // The loop's thread only.
  Stage stage_ = Stage::serving;
  bool ended_ = false;
  SteadyTime alarm_ = SteadyTime::max();
  std::function<void()> on_drain_;
  Deadlines deadlines_;
  std::unordered_set<std::shared_ptr<Session>> sessions_;
  std::vector<Finished> finished_batch_;
  std::vector<Accepted> accepted_batch_;
  std::vector<char> read_buffer_;
  std::string head_buffer_;
  DateText date_;
};

}  // namespace picket::http

// A run of load: requests that are due at fixed times whatever the answers do (open loop), or one
// after the other on every connection (closed loop, rate 0).
//
// Latency counts from when a request was due, not from when it left: a server that stalls is
// charged for all the requests that would have come meanwhile.
//
// INVARIANT  Ends by itself: at the latest `patience` after the last request was due (in a closed
// loop
//            that counts: after the last answer).
#pragma once

#include "bench/load/body_pool.h"
#include "bench/load/connection.h"
#include "bench/load/histogram.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace picket::load {

struct RunOptions {
  double rate = 0;  // per second; 0: as fast as the answers come
  unsigned connections = 1;
  double seconds = 0;       // 0: until `count`
  std::uint64_t count = 0;  // 0: until `seconds`
  std::chrono::seconds patience{10};
};

struct RunResult {
  std::uint64_t sent = 0;
  std::uint64_t acked = 0;  // answered 2xx
  std::map<std::string, std::uint64_t>
      failures;        // by status, or "connection", "unanswered", "unsent"
  double seconds = 0;  // from the first due time to the last answer
  Histogram latency;   // of the acknowledged
  Histogram lateness;  // of sending, against when it was due
};

class LoadRun {
 public:
  LoadRun(const Target& target, BodyPool& pool, const RunOptions& options);
  ~LoadRun();
  LoadRun(LoadRun&& other) = delete;

  // False when not one connection could be had.
  bool connect();
  RunResult run();

 private:
  void wait(SteadyTime until);
  void on_event(std::size_t index);
  void send_due(SteadyTime now);
  void send_one(std::size_t index, SteadyTime due, SteadyTime now);
  void reconnect(SteadyTime now);
  SteadyTime due_time(std::uint64_t number) const;
  std::uint64_t count_due(SteadyTime now) const;  // how many should have left by now
  SteadyTime last_due() const;
  bool over(SteadyTime now) const;
  SteadyTime next_wake(SteadyTime now) const;
  void count_unfinished();

  const RunOptions options_;
  BodyPool& pool_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::size_t> idle_;    // indices
  std::vector<std::size_t> broken_;  // to be opened again
  SteadyTime retry_at_{};
  SteadyTime began_{};
  SteadyTime last_answer_{};
  std::uint64_t busy_ = 0;
  RunResult result_;
};

}  // namespace picket::load

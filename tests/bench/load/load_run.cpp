#include "bench/load/load_run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace picket::load {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::uint64_t ns_between(SteadyTime from, SteadyTime to) {
  return to > from ? static_cast<std::uint64_t>(std::chrono::nanoseconds(to - from).count()) : 0;
}

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

LoadRun::LoadRun(const Target& target, BodyPool& pool, const RunOptions& options)
    : options_(options), pool_(pool), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (unsigned i = 0; i < std::max(options.connections, 1U); ++i) {
    connections_.push_back(std::make_unique<Connection>(target));
  }
}

LoadRun::~LoadRun() {
  connections_.clear();
  if (epoll_ >= 0) ::close(epoll_);
}

bool LoadRun::connect() {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (!connections_[i]->open(epoll_, i)) broken_.push_back(i);
  }
  const auto deadline = Clock::now() + options_.patience;
  while (idle_.size() + broken_.size() < connections_.size() && Clock::now() < deadline)
    wait(Clock::now() + 10ms);
  return !idle_.empty();
}

void LoadRun::wait(SteadyTime until) {
  std::array<epoll_event, 256> events{};
  const auto ns = ns_between(Clock::now(), until);
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  timeout.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  const int ready =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < ready; ++i)
    on_event(static_cast<std::size_t>(events.at(static_cast<std::size_t>(i)).data.u64));
}

void LoadRun::on_event(std::size_t index) {
  auto& connection = *connections_[index];
  const auto before = connection.state();
  if (before == Connection::State::closed) return;
  const auto status = connection.on_ready();
  if (before == Connection::State::busy &&
      (status || connection.state() == Connection::State::closed)) {
    --busy_;
    last_answer_ = Clock::now();
    if (!status) {
      ++result_.failures["connection"];
    } else if (*status / 100 == 2) {
      ++result_.acked;
      result_.latency.record(ns_between(connection.due(), last_answer_));
    } else {
      ++result_.failures[std::to_string(*status)];
    }
  }
  if (connection.state() == Connection::State::closed) {
    // An idle one that the server closed may still stand in idle_.
    std::erase(idle_, index);
    broken_.push_back(index);
  } else if (connection.state() == Connection::State::idle && before != Connection::State::idle) {
    idle_.push_back(index);
  }
}

SteadyTime LoadRun::due_time(std::uint64_t number) const {
  const auto ns = static_cast<double>(number) * 1e9 / options_.rate;
  return began_ + std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
}

std::uint64_t LoadRun::count_due(SteadyTime now) const {
  const auto most =
      options_.count == 0 ? std::numeric_limits<std::uint64_t>::max() : options_.count;
  const auto elapsed = static_cast<double>(ns_between(began_, now)) / 1e9;
  const auto within = options_.seconds > 0 ? std::min(elapsed, options_.seconds) : elapsed;
  if (options_.rate > 0)
    return std::min(most, static_cast<std::uint64_t>(std::floor(within * options_.rate)) + 1);
  const bool closed = options_.seconds > 0 && elapsed >= options_.seconds;
  return closed ? std::min(most, result_.sent) : most;
}

void LoadRun::send_one(std::size_t index, SteadyTime due, SteadyTime now) {
  auto& connection = *connections_[index];
  pool_.next(wall_clock_ms(), connection.body());
  ++result_.sent;
  ++busy_;
  result_.lateness.record(ns_between(due, now));
  connection.send(due);
  if (connection.state() == Connection::State::closed) {
    --busy_;
    ++result_.failures["connection"];
    broken_.push_back(index);
  }
}

void LoadRun::send_due(SteadyTime now) {
  while (!idle_.empty() && result_.sent < count_due(now)) {
    const auto index = idle_.back();
    idle_.pop_back();
    send_one(index, options_.rate > 0 ? due_time(result_.sent) : now, now);
    now = Clock::now();
  }
}

void LoadRun::reconnect(SteadyTime now) {
  if (broken_.empty() || now < retry_at_) return;
  retry_at_ = now + 100ms;
  std::vector<std::size_t> indices;
  indices.swap(broken_);
  for (const auto index : indices) {
    if (!connections_[index]->open(epoll_, index)) broken_.push_back(index);
  }
}

SteadyTime LoadRun::last_due() const {
  const auto end =
      began_ + std::chrono::nanoseconds(static_cast<std::int64_t>(options_.seconds * 1e9));
  if (options_.rate > 0 && options_.count > 0) {
    const auto counted = due_time(options_.count);
    return options_.seconds > 0 ? std::min(end, counted) : counted;
  }
  // A closed loop that counts is over when nothing comes back any more.
  return options_.seconds > 0 ? end : last_answer_;
}

bool LoadRun::over(SteadyTime now) const {
  const bool timed_out =
      options_.seconds > 0 &&
      ns_between(began_, now) >= static_cast<std::uint64_t>(options_.seconds * 1e9);
  const bool all_due = timed_out || (options_.count > 0 && count_due(now) >= options_.count);
  if (!all_due) return false;
  return (busy_ == 0 && result_.sent >= count_due(now)) || now >= last_due() + options_.patience;
}

SteadyTime LoadRun::next_wake(SteadyTime now) const {
  auto wake = now + 50ms;
  if (options_.rate > 0 && !idle_.empty()) wake = std::min(wake, due_time(result_.sent));
  return wake;
}

void LoadRun::count_unfinished() {
  if (busy_ != 0) result_.failures["unanswered"] += busy_;
  const auto due = count_due(Clock::now());
  if (options_.rate > 0 && due > result_.sent) result_.failures["unsent"] += due - result_.sent;
}

RunResult LoadRun::run() {
  began_ = Clock::now();
  last_answer_ = began_;
  for (auto now = began_; !over(now); now = Clock::now()) {
    send_due(now);
    reconnect(now);
    wait(next_wake(now));
  }
  count_unfinished();
  result_.seconds = static_cast<double>(ns_between(began_, last_answer_)) / 1e9;
  return result_;
}

}  // namespace picket::load

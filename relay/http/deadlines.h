// Who has been waiting too long. Each cause of waiting has one constant patience, so the waiters of
// a cause stand in the order in which their time runs out: arming, disarming and looking at the
// next are a few pointer moves, whatever the number of connections.
//
// THREADS  One thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace picket::http {

using SteadyTime = std::chrono::steady_clock::time_point;

enum class Waiting : std::uint8_t { idle, header, body, write, linger, accept };
constexpr std::size_t waiting_count = static_cast<std::size_t>(Waiting::accept) + 1;

// Base of what waits; in at most one queue at a time.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() { leave(); }
  virtual void on_deadline() = 0;

  void leave() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 private:
  friend class Deadlines;
  Waiter* previous_ = this;
  Waiter* next_ = this;
  SteadyTime deadline_{};
};

class Deadlines {
 public:
  using Patience = std::array<std::chrono::milliseconds, waiting_count>;
  explicit Deadlines(const Patience& patience) : patience_(patience) {}

  // (Re)starts the wait, and says when it ends.
  SteadyTime arm(Waiting cause, Waiter& waiter, SteadyTime now) {
    waiter.leave();
    Waiter& end = ends_[static_cast<std::size_t>(cause)];
    waiter.deadline_ = now + patience_[static_cast<std::size_t>(cause)];
    waiter.previous_ = end.previous_;
    waiter.next_ = &end;
    end.previous_->next_ = &waiter;
    end.previous_ = &waiter;
    return waiter.deadline_;
  }

  // Tells (and lets go of) every waiter whose time has run out.
  void expire(SteadyTime now) {
    for (auto& end : ends_) {
      while (end.next_ != &end && end.next_->deadline_ <= now) {
        Waiter& waiter = *end.next_;
        waiter.leave();
        waiter.on_deadline();
      }
    }
  }

  // The earliest deadline; max() when nobody waits.
  SteadyTime next() const {
    auto earliest = SteadyTime::max();
    for (const auto& end : ends_) {
      if (end.next_ != &end) earliest = std::min(earliest, end.next_->deadline_);
    }
    return earliest;
  }

 private:
  struct End final : Waiter {
    void on_deadline() override {}
  };
  Patience patience_;
  std::array<End, waiting_count> ends_;
};

}  // namespace picket::http

#include "buffer/two_paces.h"

#include "buffer/thread.h"

#include <utility>

namespace picket {

TwoPaces::~TwoPaces() {
  request_stop();
  join();
}

void TwoPaces::start(std::string name, Step step) {
  step_ = std::move(step);
  ordinary_ = std::thread([this, name] {
    name_thread(name.c_str());
    yield_to_intake();
    work(Pace::ordinary);
  });
  courteous_ = std::thread([this, name] {
    name_thread((name + " idle").c_str());
    run_when_idle();
    work(Pace::courteous);
  });
}

void TwoPaces::request_stop() {
  stop_.request_stop();
  // While others use all the processors, the rest of its step would take minutes.
  if (courteous_.joinable()) run_again(courteous_.native_handle());
}

void TwoPaces::join() {
  if (ordinary_.joinable()) ordinary_.join();
  if (courteous_.joinable()) courteous_.join();
}

void TwoPaces::work(Pace mine) {
  const auto stop = stop_.get_token();
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!turned_.wait(lock, stop, [&] { return turn_ == mine; })) return;
    }
    const auto next = step_(stop);
    if (next == mine) continue;
    {
      const std::lock_guard lock(mutex_);
      turn_ = next;
    }
    turned_.notify_all();
  }
}

}  // namespace picket

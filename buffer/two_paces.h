// A task that is done step by step by one of two threads: an ordinary one that yields a little, and a
// courteous one (SCHED_IDLE, sched(7)) from which every other thread that wakes takes the processor at once.
// Two, because without privileges a thread cannot take that courtesy back.
//
// A thread of the ordinary kind keeps its processor until the next tick of the scheduler, 4 ms on many machines,
// whoever wakes: long against a commit of half a millisecond.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace picket {

enum class Pace { ordinary, courteous };

class TwoPaces {
 public:
  // Does one step and says at which pace the next is to be done. Called over and over, the first time at the
  // ordinary pace, on either thread but never on both, until a stop is requested.
  using Step = std::function<Pace(const std::stop_token& stop)>;

  TwoPaces() = default;
  ~TwoPaces();  // requests a stop and waits for the step under way
  TwoPaces(const TwoPaces&) = delete;
  TwoPaces& operator=(const TwoPaces&) = delete;

  // Once. `name` as in name_thread(); the courteous thread is called "NAME idle".
  void start(std::string name, Step step);
  // From one thread, as join().
  void request_stop();
  void join();
  bool started() const { return ordinary_.joinable(); }

 private:
  void work(Pace mine);

  Step step_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any turned_;
  Pace turn_ = Pace::ordinary;  // guarded by mutex_
  std::thread ordinary_;
  std::thread courteous_;
};

}  // namespace picket

#include "buffer/two_paces.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

namespace picket {
namespace {

TEST(TwoPaces, StepsAlternateAsAskedAndNeverRunTogether) {
  std::atomic<int> inside = 0;
  std::atomic<int> steps = 0;
  std::atomic<bool> overlapped = false;
  std::set<pid_t> ordinary;
  std::set<pid_t> courteous;
  auto pace = Pace::ordinary;
  TwoPaces threads;
  threads.start("test", [&](const std::stop_token& stop) {
    if (++inside != 1) overlapped = true;
    (pace == Pace::ordinary ? ordinary : courteous).insert(::gettid());
    // At the end the courteous is hurried.
    const int policy = ::sched_getscheduler(0);
    if (!stop.stop_requested()) {
      EXPECT_EQ(policy, pace == Pace::courteous ? SCHED_IDLE : SCHED_OTHER);
    }
    pace = ++steps % 3 == 0 ? Pace::ordinary : Pace::courteous;
    --inside;
    return pace;
  });
  while (steps < 300) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  threads.request_stop();
  threads.join();
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(ordinary.size(), 1U);
  EXPECT_EQ(courteous.size(), 1U);
  EXPECT_NE(ordinary, courteous);
}

TEST(TwoPaces, EndsAStepThatWaitsForTheStop) {
  std::atomic<bool> in_step = false;
  TwoPaces threads;
  threads.start("test", [&](const std::stop_token& stop) {
    in_step = true;
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Pace::courteous;
  });
  while (!in_step) std::this_thread::yield();
}

TEST(TwoPaces, HurriesTheCourteousToItsEnd) {
  rlimit nice{};
  ::getrlimit(RLIMIT_NICE, &nice);
  if (::geteuid() != 0 && nice.rlim_cur < 20) GTEST_SKIP() << "only allowed with privileges";
  std::atomic<int> policy_in_step = -1;
  std::atomic<int> policy_at_the_end = -1;
  TwoPaces threads;
  threads.start("test", [&](const std::stop_token& stop) {
    if (::sched_getscheduler(0) != SCHED_IDLE) return Pace::courteous;
    policy_in_step = SCHED_IDLE;
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (int i = 0; i < 5000 && policy_at_the_end != SCHED_OTHER; ++i) {
      policy_at_the_end = ::sched_getscheduler(0);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return Pace::courteous;
  });
  while (policy_in_step != SCHED_IDLE) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  threads.request_stop();
  threads.join();
  EXPECT_EQ(policy_at_the_end, SCHED_OTHER);
}

TEST(TwoPaces, ThatNeverStartedEndsToo) {
  TwoPaces threads;
  EXPECT_FALSE(threads.started());
}

}  // namespace
}  // namespace picket

#include "relay/http/deadlines.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace picket::http {
namespace {

using namespace std::chrono_literals;

const SteadyTime start{1000s};

struct Named final : Waiter {
  Named(std::string name, std::vector<std::string>& told) : name_(std::move(name)), told_(told) {}
  void on_deadline() override { told_.push_back(name_); }

 private:
  std::string name_;
  std::vector<std::string>& told_;
};

Deadlines make_deadlines() {
  return Deadlines({100ms, 10ms, 20ms, 30ms, 5ms, 1ms});
}

TEST(Deadlines, TellEachWaiterOnceAndInOrder) {
  std::vector<std::string> told;
  Named first("first", told);
  Named second("second", told);
  Named header("header", told);
  auto deadlines = make_deadlines();
  deadlines.arm(Waiting::idle, first, start);
  deadlines.arm(Waiting::idle, second, start + 5ms);
  deadlines.arm(Waiting::header, header, start + 1ms);
  EXPECT_EQ(deadlines.next(), start + 11ms);

  deadlines.expire(start + 10ms);
  EXPECT_TRUE(told.empty());
  deadlines.expire(start + 11ms);
  EXPECT_EQ(told, (std::vector<std::string>{"header"}));
  deadlines.expire(start + 1s);
  EXPECT_EQ(told, (std::vector<std::string>{"header", "first", "second"}));
  deadlines.expire(start + 2s);
  EXPECT_EQ(told.size(), 3U);
  EXPECT_EQ(deadlines.next(), SteadyTime::max());
}

TEST(Deadlines, ArmingAgainStartsTheWaitAnew) {
  std::vector<std::string> told;
  Named waiter("waiter", told);
  auto deadlines = make_deadlines();
  deadlines.arm(Waiting::body, waiter, start);
  EXPECT_EQ(deadlines.arm(Waiting::body, waiter, start + 15ms), start + 35ms);
  deadlines.expire(start + 34ms);
  EXPECT_TRUE(told.empty());
  deadlines.arm(Waiting::write, waiter, start + 34ms);
  deadlines.expire(start + 63ms);
  EXPECT_TRUE(told.empty());
  deadlines.expire(start + 64ms);
  EXPECT_EQ(told.size(), 1U);
}

TEST(Deadlines, ForgetWaitersThatLeaveOrDie) {
  std::vector<std::string> told;
  Named stays("stays", told);
  auto dies = std::make_unique<Named>("dies", told);
  Named leaves("leaves", told);
  auto deadlines = make_deadlines();
  deadlines.arm(Waiting::idle, *dies, start);
  deadlines.arm(Waiting::idle, stays, start);
  deadlines.arm(Waiting::idle, leaves, start);
  dies.reset();
  leaves.leave();
  deadlines.expire(start + 1s);
  EXPECT_EQ(told, (std::vector<std::string>{"stays"}));
}

TEST(Deadlines, AWaiterMayArmAgainWhileItIsTold) {
  struct Again final : Waiter {
    explicit Again(Deadlines& owner) : deadlines(owner) {}
    void on_deadline() override {
      ++times;
      deadlines.arm(Waiting::idle, *this, start + times * 1s);
    }
    Deadlines& deadlines;
    int times = 0;
  };
  auto deadlines = make_deadlines();
  Again again(deadlines);
  deadlines.arm(Waiting::idle, again, start);
  deadlines.expire(start + 500ms);
  EXPECT_EQ(again.times, 1);
  deadlines.expire(start + 1100ms);
  EXPECT_EQ(again.times, 2);
}

}  // namespace
}  // namespace picket::http

// That memory goes back is measured: the soak and tests/bench see it. Sanitizers keep freed memory for their own ends.
#include "buffer/free_memory.h"

#include "buffer/processor_time.h"

#include <gtest/gtest.h>

#include <chrono>

namespace picket {
namespace {

TEST(FreeMemory, IsGivenBackAfterWorkAndOnceMoreAtRest) {
  using std::chrono_literals::operator""ms;
  const auto work = [](std::chrono::nanoseconds amount) {
    for (const auto end = process_processor_time() + amount; process_processor_time() < end;) {
    }
  };
  FreeMemory free_memory;
  work(110ms);
  EXPECT_TRUE(free_memory.give_back_after_work());
  work(110ms);
  EXPECT_TRUE(free_memory.give_back_after_work());
  EXPECT_TRUE(free_memory.give_back_after_work()) << "what was in use is free now";
  EXPECT_FALSE(free_memory.give_back_after_work());
  work(110ms);
  EXPECT_TRUE(free_memory.give_back_after_work());
}

}  // namespace
}  // namespace picket

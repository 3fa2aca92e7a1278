#include "fault/schedule.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <vector>

namespace picket::fault {
namespace {

constexpr std::array all_calls{Call::write,  Call::synchronous_write, Call::sync,  Call::allocate,
                               Call::create, Call::rename,            Call::remove};

std::vector<FaultKind> run(std::uint64_t seed, std::size_t calls) {
  Schedule schedule(seed);
  std::vector<FaultKind> kinds;
  for (std::size_t i = 0; i < calls; ++i) kinds.push_back(schedule.next(all_calls[i % all_calls.size()], true).kind);
  return kinds;
}

TEST(Schedule, ASeedAlwaysGivesTheSame) {
  EXPECT_EQ(run(42, 5000), run(42, 5000));
  EXPECT_NE(run(42, 5000), run(50, 5000));
}

TEST(Schedule, EveryKindOfFaultComesInEightSeedsAndMostCallsSucceed) {
  std::map<FaultKind, int> seen;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    for (const auto kind : run(seed, 2000)) ++seen[kind];
  }
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_GT(seen[FaultKind::none], 80'000);
}

TEST(Schedule, OnlyTheJournalIsLiedAboutAndOnlySeedsAboveFourCutThePower) {
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Schedule schedule(seed);
    for (int i = 0; i < 2000; ++i) {
      const auto fault = schedule.next(all_calls[static_cast<std::size_t>(i) % all_calls.size()], false);
      EXPECT_NE(fault.kind, FaultKind::lie);
      if (fault.kind == FaultKind::power_cut) {
        EXPECT_GE(seed % 8, 5U);
      }
    }
  }
}

}  // namespace
}  // namespace picket::fault

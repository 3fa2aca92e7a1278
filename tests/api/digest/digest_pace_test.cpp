#include "api/digest/digest_pace.h"

#include <gtest/gtest.h>

namespace picket::digest {
namespace {

using namespace std::chrono_literals;

class PaceOfDigest : public ::testing::Test {
 protected:
  // The pace after many such batches, one every 100 ms.
  Pace settled(const BatchTaken& batch) {
    auto pace = Pace::ordinary;
    for (int i = 0; i < 60; ++i) pace = once(batch);
    return pace;
  }
  Pace once(const BatchTaken& batch) { return pace_.after(batch, now_ += 100ms); }

  DigestPace pace_;
  DigestPace::Steady::time_point now_{};
};

constexpr BatchTaken stream{.records = 2000, .took = 200ms, .processor = 150ms, .stretch = 250ms, .behind = 500ms};
constexpr BatchTaken flood{.records = 2000, .took = 200ms, .processor = 150ms, .stretch = 80ms, .behind = 500ms};

BatchTaken with(BatchTaken batch, Duration behind) {
  batch.behind = behind;
  return batch;
}

TEST_F(PaceOfDigest, ATrickleIsReadAtOnceHoweverOldItIs) {
  EXPECT_EQ(settled({.records = 255, .took = 1ms, .processor = 1ms, .stretch = 1ms, .behind = 0ms}), Pace::ordinary);
  EXPECT_EQ(settled({.records = 1, .took = 1ms, .processor = 1ms, .stretch = 0ms, .behind = 60s}), Pace::ordinary);
}

TEST_F(PaceOfDigest, AStreamGivesWayUntilItIsASecondBehind) {
  EXPECT_EQ(settled(stream), Pace::courteous);
  EXPECT_EQ(once(with(stream, 1000ms)), Pace::courteous);
  EXPECT_EQ(once(with(stream, 1001ms)), Pace::ordinary);
  EXPECT_EQ(once(stream), Pace::courteous);
}

TEST_F(PaceOfDigest, AFloodGivesWayForHalfAMinute) {
  EXPECT_EQ(settled(flood), Pace::courteous);
  EXPECT_EQ(once(with(flood, 30'000ms)), Pace::courteous);
  EXPECT_EQ(once(with(flood, 30'001ms)), Pace::ordinary);
}

TEST_F(PaceOfDigest, OneBurstDoesNotMakeAStreamAFlood) {
  settled(stream);
  auto burst = with(flood, 2s);
  EXPECT_EQ(once(burst), Pace::ordinary);
  burst.stretch = {};
  EXPECT_EQ(DigestPace().after(burst, now_), Pace::courteous) << "of what nothing else is known";
}

TEST_F(PaceOfDigest, WhatWasKeptFromTheProcessorsTakesItsShareForHalfAMinute) {
  settled(stream);
  auto slow = stream;
  slow.took = 2s;
  EXPECT_EQ(once(slow), Pace::ordinary);
  const auto starved = now_;
  while (now_ - starved < 29s) ASSERT_EQ(once(stream), Pace::ordinary);
  now_ = starved + 30s;
  EXPECT_EQ(once(stream), Pace::courteous);
}

// Also one that was far behind as well: that it was starved must not be forgotten once it has caught up.
TEST_F(PaceOfDigest, IsRememberedAsStarvedWhileItIsBehind) {
  settled(stream);
  auto slow = with(stream, 5s);
  slow.took = 3s;
  EXPECT_EQ(once(slow), Pace::ordinary);
  EXPECT_EQ(once(stream), Pace::ordinary);
}

}  // namespace
}  // namespace picket::digest

#include "upstream/byte_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <utility>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Extremes {
  double least = 0;
  double most = 0;
};

// Sends requests with a head of `head` bytes and bodies of up to `largest` for two minutes, waking when
// told to and up to 4 ms late; the least and the most of any ten seconds, as parts of the cap.
Extremes measure(std::uint64_t rate, std::uint64_t head, std::uint64_t largest, unsigned seed) {
  std::mt19937 random(seed);
  ByteRate pace(rate);
  const Steady::time_point start = Steady::time_point{} + 1h;
  auto now = start;
  std::deque<std::pair<Steady::time_point, std::uint64_t>> sent;
  std::uint64_t in_window = 0;
  std::uint64_t left = 0;
  Extremes extremes{1e9, 0};
  const auto note = [&](std::uint64_t bytes) {
    sent.emplace_back(now, bytes);
    in_window += bytes;
    while (sent.front().first <= now - 10s) {
      in_window -= sent.front().second;
      sent.pop_front();
    }
    extremes.most = std::max(extremes.most, static_cast<double>(in_window));
    if (now > start + 11s) extremes.least = std::min(extremes.least, static_cast<double>(in_window));
  };
  while (now < start + 2min) {
    if (pace.ready_in(now) > Duration(0)) {
      now += pace.ready_in(now) + std::chrono::microseconds(random() % 4'000);
      continue;
    }
    if (left == 0) {
      pace.charge(head, now);
      note(head);
      left = 1 + random() % largest;
      continue;
    }
    const auto taken = pace.take(left, now);
    left -= taken;
    if (taken > 0) note(taken);
  }
  const double whole = static_cast<double>(rate) * 10;
  return {extremes.least / whole, extremes.most / whole};
}

TEST(ByteRate, StaysWithinThreePercentOverAnyTenSeconds) {
  for (const std::uint64_t rate : {4'000, 16'000, 125'000, 1'000'000, 50'000'000}) {
    for (const std::uint64_t largest : {500, 5'000, 3'000'000}) {
      if (rate / largest > 500) continue;  // millions of requests say no more than thousands
      const auto found = measure(rate, 600, largest, static_cast<unsigned>(rate + largest));
      EXPECT_LE(found.most, 1.03) << rate << " bytes/s, bodies up to " << largest;
      EXPECT_GE(found.least, 0.97) << rate << " bytes/s, bodies up to " << largest;
    }
  }
}

TEST(ByteRate, IsOffByNoMoreThanAHeadOnTheSlowestLinks) {
  const auto found = measure(1'200, 600, 5'000, 7);
  EXPECT_LE(found.most, 1.01 + 600.0 / 12'000);
}

TEST(ByteRate, DoesNotSaveUpWhileNothingIsSent) {
  ByteRate pace(10'000);
  auto now = Steady::time_point{} + 1h;
  EXPECT_EQ(pace.take(1'000'000, now), 1'000U);
  now += 1h;
  EXPECT_EQ(pace.take(1'000'000, now), 1'000U);
  EXPECT_EQ(pace.take(1'000'000, now), 0U);
  EXPECT_EQ(pace.ready_in(now), 25ms);
  EXPECT_EQ(pace.take(1'000'000, now + 25ms), 250U);
}

TEST(ByteRate, PaysBackWhatWasOwed) {
  ByteRate pace(1'000);
  const auto now = Steady::time_point{} + 1h;
  EXPECT_EQ(pace.take(100, now), 100U);
  pace.charge(5'000, now);
  EXPECT_EQ(pace.take(10, now + 5s), 0U);
  EXPECT_EQ(pace.ready_in(now + 5s), 25ms);
  EXPECT_EQ(pace.take(10, now + 5'025ms), 10U);
}

TEST(ByteRate, WithoutACapGivesEverything) {
  ByteRate pace(0);
  pace.charge(1'000'000, Steady::now());
  EXPECT_FALSE(pace.capped());
  EXPECT_EQ(pace.ready_in(Steady::now()), Duration(0));
  EXPECT_EQ(pace.take(123, Steady::now()), 123U);
}

}  // namespace
}  // namespace picket::upstream

#include "upstream/batch_offers.h"
#include "upstream/batch_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

TEST(BatchOffers, AreBelievedUntilRefused) {
  BatchOffers offers;
  const BatchOffers::Steady::time_point start{std::chrono::hours(1)};
  EXPECT_FALSE(offers.any());
  offers.note("https://a", "", start);
  EXPECT_FALSE(offers.taken_by("https://a"));
  offers.note("https://a", "1", start);
  EXPECT_TRUE(offers.taken_by("https://a"));
  EXPECT_FALSE(offers.taken_by("https://b"));
  EXPECT_TRUE(offers.refuse("https://a", start + 5s));
  EXPECT_FALSE(offers.any());
  EXPECT_FALSE(offers.refuse("https://a", start + 5s));
  offers.note("https://a", "1", start + 4s);
  EXPECT_FALSE(offers.taken_by("https://a"));
  offers.note("https://a", "1", start + 5s);
  EXPECT_TRUE(offers.taken_by("https://a"));
  offers.note("https://a", "", start + 6s);
  EXPECT_FALSE(offers.any());
}

TEST(BatchOffers, MayNameSeveralVersions) {
  BatchOffers offers;
  for (const std::string_view offer : {"2", "11", "10, 2", "x", ",", "1x"}) {
    offers.note("a", offer, {});
    EXPECT_FALSE(offers.any()) << offer;
  }
  for (const std::string_view offer : {"1", " 1 ", "2, 1", "1,2"}) {
    offers.note("a", offer, {});
    EXPECT_TRUE(offers.any()) << offer;
  }
}

TEST(BatchPace, GrowsWhileBatchesAreQuickAndFull) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  const auto before = pace.most_bytes();
  const auto full = pace.batch_bytes();
  pace.note({start, start + 100ms, 0ms, false, 0});
  EXPECT_EQ(pace.most_bytes(), before);
  pace.note({start, start + 2s, 0ms, false, full});
  EXPECT_EQ(pace.most_bytes(), before);
  pace.note({start, start + 2s, 800ms, false, full});
  EXPECT_EQ(pace.most_bytes(), before + full);
  for (int i = 0; i < 100; ++i) pace.note({start, start + 100ms, 0ms, false, full});
  EXPECT_EQ(pace.most_bytes(), std::size_t{8} << 20);
  EXPECT_FALSE(pace.is_wide());
  EXPECT_LE(pace.batch_bytes(), std::size_t{2} << 20);
  EXPECT_EQ(pace.level(1), 1);
  EXPECT_EQ(pace.level(7), 7);
}

TEST(BatchPace, GrowsFourfoldWhereALinkIsIdleUntilItWasFullOnce) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  auto before = pace.most_bytes();
  for (const int i : {1, 2}) pace.note({start, start + i * 100ms, 0ms, false, before / 2});
  EXPECT_EQ(pace.most_bytes(), 4 * before);
  pace.note({start, start + 10s, 0ms, false, before});
  before = pace.most_bytes();
  for (const int i : {1, 2}) pace.note({start + 11s, start + 11s + i * 100ms, 0ms, false, before / 2});
  EXPECT_EQ(pace.most_bytes(), before + before / 2);
}

TEST(BatchPace, AllowsForAYoungConnection) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  const auto before = pace.most_bytes();
  const auto full = pace.batch_bytes();
  pace.note({start, start + 5'400ms, 800ms, false, full});
  EXPECT_EQ(pace.most_bytes(), before);
  pace.note({start, start + 5'400ms, 800ms, true, full});
  EXPECT_EQ(pace.most_bytes(), before + full);
  pace.note({start, start + 6s, 800ms, true, full});
  EXPECT_EQ(pace.most_bytes(), before + full);
  pace.note({start, start + 8s, 800ms, true, full});
  EXPECT_EQ(pace.most_bytes(), (before + full) / 2);
}

// A far link of much bandwidth is full of what is on its way; near by as much would only wait at the other end.
TEST(BatchPace, LetsMoreBeUnderWayTheFartherTheUpstreamIs) {
  for (const auto& [round_trip, most] : {std::pair(1ms, 8U), std::pair(199ms, 8U), std::pair(200ms, 16U), std::pair(800ms, 24U), std::pair(5'000ms, 24U)}) {
    BatchPace pace;
    const BatchPace::Steady::time_point start{std::chrono::hours(1)};
    for (int i = 0; i < 100; ++i) pace.note({start, start + round_trip, round_trip, false, pace.batch_bytes()});
    EXPECT_EQ(pace.most_bytes() >> 20, most) << round_trip.count() << " ms";
    EXPECT_EQ(pace.is_wide(), most > 8);
    EXPECT_LE(pace.batch_bytes(), std::size_t{2} << 20);
  }
}

// Two that come back as quickly as a link of 64 kbit/s lets them must not be followed by ten times as much.
TEST(BatchPace, KeepsWhatWaitsOnASlowLinkToSeconds) {
  constexpr double bytes_per_second = 8'000;
  constexpr double packed = 1.0 / 7;
  for (const auto round_trip : {1ms, 100ms, 800ms}) {
    BatchPace pace;
    BatchPace::Steady::time_point at{std::chrono::hours(1)};
    auto slowest = 0ms;
    for (int i = 0; i < 200; ++i) {
      // All of them leave together, and the last waits for the others.
      const auto took = round_trip + std::chrono::milliseconds(static_cast<long>(static_cast<double>(pace.most_bytes()) * packed / bytes_per_second * 1'000));
      const auto began = at;
      at += took;
      pace.note({began, at, round_trip, false, pace.batch_bytes()});
      if (i > 2) slowest = std::max(slowest, took);
    }
    EXPECT_LE(slowest, 3s + 4 * round_trip);
  }
}

TEST(BatchPace, ShrinksOnceForWhatWasUnderWayTogether) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  const auto before = pace.most_bytes();
  pace.note({start, start + 10s, 0ms, false, before / 2});
  EXPECT_EQ(pace.most_bytes(), before / 2);
  pace.note({start + 1s, start + 11s, 0ms, false, before / 2});
  EXPECT_EQ(pace.most_bytes(), before / 2);
  pace.shrink(start + 10s, start + 12s);
  EXPECT_EQ(pace.most_bytes(), before / 4);
  for (int i = 20; i < 40; ++i) pace.shrink(start + std::chrono::seconds(i), start + std::chrono::seconds(i));
  EXPECT_GE(pace.batch_bytes(), std::size_t{16} << 10);
  EXPECT_GT(pace.level(1), 1);
}

TEST(BatchPace, LetsOneBatchGoHoweverLittleMayBeUnderWay) {
  BatchPace pace;
  EXPECT_TRUE(pace.may_begin(0));
  EXPECT_TRUE(pace.may_begin(pace.most_bytes() - pace.batch_bytes()));
  EXPECT_FALSE(pace.may_begin(pace.most_bytes() - pace.batch_bytes() / 2));
}

// Each goes beyond its bytes by a part of an envelope: where a link is not slow, the others must not be kept for that.
TEST(BatchPace, LetsAsManyBeUnderWayAsItReckonsWith) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  for (int i = 0; i < 30; ++i) {
    const auto batch = pace.batch_bytes();
    const auto wanted = pace.most_bytes() / batch;
    std::size_t under_way = 0;
    std::size_t batches = 0;
    for (; pace.may_begin(under_way); ++batches) under_way += batch + 9'000;
    EXPECT_EQ(batches, pace.level(1) == 1 ? wanted : wanted - 1) << pace.most_bytes();
    pace.note({start, start + 100ms, 0ms, false, batch});
  }
}

}  // namespace
}  // namespace picket::upstream

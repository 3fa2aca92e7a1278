#include "upstream/batch_offers.h"
#include "upstream/batch_pace.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string_view>

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
  pace.note({start, start + 100ms, 0ms, false});
  EXPECT_EQ(pace.most_bytes(), before);
  pace.note({start, start + 2s, 0ms, true});
  EXPECT_EQ(pace.most_bytes(), before);
  pace.note({start, start + 2s, 800ms, true});
  EXPECT_GT(pace.most_bytes(), before);
  for (int i = 0; i < 100; ++i) pace.note({start, start + 100ms, 0ms, true});
  EXPECT_EQ(pace.most_bytes(), std::size_t{8} << 20);
  EXPECT_LE(pace.batch_bytes(), std::size_t{2} << 20);
  EXPECT_EQ(pace.level(1), 1);
  EXPECT_EQ(pace.level(7), 7);
}

TEST(BatchPace, ShrinksOnceForWhatWasUnderWayTogether) {
  BatchPace pace;
  const BatchPace::Steady::time_point start{std::chrono::hours(1)};
  const auto before = pace.most_bytes();
  pace.note({start, start + 10s, 0ms, true});
  EXPECT_EQ(pace.most_bytes(), before / 2);
  pace.note({start + 1s, start + 11s, 0ms, true});
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
  EXPECT_FALSE(pace.may_begin(pace.most_bytes() - pace.batch_bytes() + 1));
}

}  // namespace
}  // namespace picket::upstream

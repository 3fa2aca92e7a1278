#include "upstream/window.h"

#include "upstream/backoff.h"
#include "upstream/deferred.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <vector>

namespace picket::upstream {
namespace {

using namespace std::chrono_literals;

Settled settled(buffer::Sequence sequence) {
  Settled made;
  made.fate = Fate::forwarded;
  made.label.sequence = sequence;
  return made;
}

Deferred::Entry waiting(Time until) {
  Deferred::Entry entry;
  entry.until = until;
  return entry;
}

TEST(Window, PassesInOrderWhateverSettlesFirst) {
  std::mt19937 random(7);
  Window window(5);
  std::vector<buffer::Sequence> open;
  std::vector<buffer::Sequence> passed;
  for (int i = 0; i < 2'000; ++i) {
    if (open.size() < 40) {
      open.push_back(window.end());
      window.open();
    } else {
      const auto at = random() % open.size();
      window.settle(open[at], settled(open[at]));
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    }
    window.pass([&](Settled one) { passed.push_back(one.label.sequence); });
    for (const auto sequence : open) ASSERT_GE(sequence, window.cursor());
  }
  for (std::size_t i = 0; i < passed.size(); ++i) EXPECT_EQ(passed[i], 5 + i);
  EXPECT_EQ(window.cursor(), 5 + passed.size());
}

TEST(Window, CountsWhatIsOnItsWayIntoTheDeferredList) {
  Window window(1);
  for (int i = 0; i < 4; ++i) window.open();
  EXPECT_EQ(window.deferred(), 0U);
  for (const buffer::Sequence sequence : {2U, 3U}) {
    auto waits = settled(sequence);
    waits.fate = Fate::deferred;
    window.settle(sequence, std::move(waits));
  }
  window.settle(4, settled(4));
  EXPECT_EQ(window.deferred(), 2U);
  EXPECT_FALSE(window.pass([](const Settled&) {}));
  EXPECT_EQ(window.deferred(), 2U);
  window.settle(1, settled(1));
  EXPECT_TRUE(window.pass([](const Settled&) {}));
  EXPECT_EQ(window.deferred(), 0U);
}

TEST(Window, PassesAGapOfMillionsAsOneEntry) {
  Window window(1);
  window.open(5'000'000);
  window.open();
  window.settle(1, settled(1));
  EXPECT_TRUE(window.pass([](const Settled&) {}));
  EXPECT_EQ(window.cursor(), 5'000'001U);
  EXPECT_EQ(window.end(), 5'000'002U);
  EXPECT_EQ(window.size(), 1U);
}

TEST(Deferred, GivesTheOldestThatIsDueAndNoneTwice) {
  Deferred deferred;
  const Time now = time_from_ms(1'000'000);
  deferred.add(9, waiting(now + 10s));
  deferred.add(3, waiting(now + 5s));
  deferred.add(4, waiting(now + 5s));
  EXPECT_FALSE(deferred.start_due(now));
  EXPECT_EQ(deferred.next_look(), now + 5s);
  EXPECT_EQ(deferred.start_due(now + 6s)->first, 3U);
  EXPECT_EQ(deferred.start_due(now + 6s)->first, 4U);
  EXPECT_FALSE(deferred.start_due(now + 6s));
  EXPECT_EQ(deferred.next_look(), now + 10s);
  deferred.remove(3);
  deferred.add(4, waiting(now + 7s));
  EXPECT_EQ(deferred.next_look(), now + 7s);
  EXPECT_EQ(deferred.size(), 2U);
  deferred.hasten();
  EXPECT_EQ(deferred.start_due(now)->first, 4U);
  EXPECT_EQ(deferred.start_due(now)->first, 9U);
  EXPECT_FALSE(deferred.start_due(now));
  EXPECT_FALSE(deferred.next_look());
}

TEST(Backoff, CountsWhatFailsTogetherOnceAndGrowsToItsCeiling) {
  Backoff backoff(1s, 5min, 32);
  const auto now = Backoff::Steady::now();
  const auto epoch = backoff.epoch();
  for (int i = 0; i < 32; ++i) backoff.on_failure(epoch, 0ms, now);
  EXPECT_EQ(backoff.failures(), 1U);
  EXPECT_LE(backoff.left(now), 1s);
  for (int i = 0; i < 100; ++i) {
    backoff.on_failure(backoff.epoch(), 0ms, now);
    EXPECT_LE(backoff.left(now), 5min);
  }
  EXPECT_EQ(backoff.allowance(), 1U);
  for (int i = 0; i < 10; ++i) backoff.on_success();
  EXPECT_EQ(backoff.allowance(), 32U);
  EXPECT_FALSE(backoff.waits(now));
}

TEST(Backoff, DrawsFromTheWholeRange) {
  Duration least = 1h;
  Duration most = 0ms;
  for (int i = 0; i < 2'000; ++i) {
    const auto drawn = jittered(1s, 5min, 6);
    least = std::min(least, drawn);
    most = std::max(most, drawn);
  }
  EXPECT_LT(least, 2s);
  EXPECT_GT(most, 30s);
  EXPECT_LE(most, 32s);
}

TEST(Backoff, WaitsAsLongAsTheUpstreamAsks) {
  Backoff backoff(1ms, 10ms, 32);
  const auto now = Backoff::Steady::now();
  backoff.on_failure(backoff.epoch(), 60s, now);
  EXPECT_GE(backoff.left(now), 60s);
}

}  // namespace
}  // namespace picket::upstream

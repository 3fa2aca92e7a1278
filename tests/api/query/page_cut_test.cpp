#include "api/query/page_cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <utility>
#include <vector>

namespace picket::query {
namespace {

using Pairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // value and id, greatest first

Pairs pairs_of(const std::vector<Candidate>& issues) {
  Pairs pairs;
  for (const auto& issue : issues) pairs.emplace_back(issue.value, issue.id);
  return pairs;
}

TEST(PageCut, CutsAsSortingAllWould) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    Pairs all;
    const auto count = random() % 3'000;
    for (std::uint64_t id = 1; id <= count; ++id) all.emplace_back(1 + random() % 40, id);
    std::ranges::shuffle(all, random);
    const bool by_offset = random() % 2 == 0;
    const auto most = 1 + random() % 50;
    const std::pair pivot(by_offset ? std::uint64_t{0} : 1 + random() % 42, std::uint64_t{random() % 3'200});
    const bool previous = !by_offset && random() % 2 == 0;
    PageCut cut(pivot.first, pivot.second, previous, most);
    for (const auto& [value, id] : all) cut.add({.id = id, .value = value});
    const auto page = std::move(cut).cut();

    std::ranges::sort(all, std::greater());
    Pairs before;
    Pairs after;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool first = by_offset ? i < pivot.second : all[i] > pivot;
      if (first) before.push_back(all[i]);
      if (by_offset ? !first : all[i] < pivot) after.push_back(all[i]);
    }
    auto side = previous ? before : after;
    const bool more = side.size() > most;
    const bool others = by_offset ? !before.empty() : all.size() > side.size();
    if (more && previous) side.erase(side.begin(), side.end() - static_cast<std::ptrdiff_t>(most));
    if (more && !previous) side.resize(most);
    ASSERT_EQ(pairs_of(page.issues), side) << "round " << round;
    EXPECT_EQ(page.hits, all.size());
    EXPECT_EQ(page.has_previous, previous ? more : others) << "round " << round;
    EXPECT_EQ(page.has_next, previous ? others : more) << "round " << round;
  }
}

TEST(PageCut, KnowsWhenWhatComesAfterwardsChangesNothing) {
  PageCut cut(0, 3, false, 10);
  for (std::uint64_t id = 1; id <= most_told_hits; ++id) {
    EXPECT_FALSE(cut.enough());
    cut.add({.id = id, .value = 5'000 - id});
  }
  EXPECT_TRUE(cut.enough());
  PageCut deep(0, 2 * most_told_hits, false, 10);
  for (std::uint64_t id = 1; id <= 2 * most_told_hits + 10; ++id) {
    deep.add({.id = id, .value = 5'000 - id});
    EXPECT_FALSE(deep.enough()) << "the page is not full, or what follows it is not known";
  }
  deep.add({.id = 9'000, .value = 1});
  EXPECT_TRUE(deep.enough());
  PageCut backwards(10, 1, true, 1);
  for (std::uint64_t id = 1; id <= 2 * most_told_hits; ++id) backwards.add({.id = id, .value = 5'000 - id});
  EXPECT_FALSE(backwards.enough()) << "what comes last is nearest to the page";
}

TEST(PageCut, KnowsWhetherThoseThatComeInAnyOrderAreEnough) {
  PageCut cut(0, 0, false, 10);
  EXPECT_FALSE(cut.enough_before({.id = 1, .value = 1}));
  for (std::uint64_t id = 1; id <= most_told_hits; ++id) cut.add({.id = id, .value = id});
  // The page and what follows it are the eleven greatest.
  EXPECT_TRUE(cut.enough_before({.id = 5'000, .value = most_told_hits - 11}));
  EXPECT_FALSE(cut.enough_before({.id = 5'000, .value = most_told_hits - 10}));
  cut.add({.id = 5'000, .value = most_told_hits - 10});
  const auto page = std::move(cut).cut();
  EXPECT_EQ(page.issues.back().value, most_told_hits - 9);
  EXPECT_TRUE(page.has_next);
}

// What does not matter may be left out, whatever is asked for and in whatever order they come.
TEST(PageCut, LeavesOutWhatDoesNotMatter) {
  std::mt19937 random(12);
  std::size_t left_out = 0;
  for (int round = 0; round < 200; ++round) {
    const bool by_offset = random() % 2 == 0;
    const std::pair pivot(by_offset ? std::uint64_t{0} : 1 + random() % 42, std::uint64_t{random() % 1'500});
    const bool previous = !by_offset && random() % 2 == 0;
    const auto most = 1 + random() % 50;
    const bool all_hits = random() % 4 == 0;
    PageCut all(pivot.first, pivot.second, previous, most, all_hits);
    PageCut some(pivot.first, pivot.second, previous, most, all_hits);
    const std::uint64_t count = random() % 6'000;
    for (std::uint64_t id = 1; id <= count; ++id) {
      const Candidate issue{.id = random(), .value = 1 + random() % 40};
      all.add(issue);
      some.may_matter(issue) ? some.add(issue) : void(++left_out);
    }
    const auto expected = std::move(all).cut();
    const auto page = std::move(some).cut();
    ASSERT_EQ(pairs_of(page.issues), pairs_of(expected.issues)) << "round " << round;
    EXPECT_EQ(page.has_previous, expected.has_previous) << "round " << round;
    EXPECT_EQ(page.has_next, expected.has_next) << "round " << round;
    EXPECT_EQ(all_hits ? page.hits : std::min(page.hits, most_told_hits), all_hits ? expected.hits : std::min(expected.hits, most_told_hits));
  }
  EXPECT_GT(left_out, 100'000U);
}

TEST(PageCut, AnOffsetBeyondEverythingIsAnEmptyPage) {
  PageCut cut(0, ~std::uint64_t{0}, false, 100);
  cut.add({.id = 1, .value = 1});
  const auto page = std::move(cut).cut();
  EXPECT_TRUE(page.issues.empty());
  EXPECT_TRUE(page.has_previous);
  EXPECT_FALSE(page.has_next);
  EXPECT_EQ(page.hits, 1U);
}

}  // namespace
}  // namespace picket::query

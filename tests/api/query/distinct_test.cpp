#include "api/query/distinct.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace picket::query {
namespace {

TEST(DistinctNumbers, GivesEachValueOneNumberInTheOrderOfTheirFirstTime) {
  std::mt19937_64 random(1);
  DistinctNumbers numbers;
  std::map<std::uint64_t, std::uint32_t> known;
  std::size_t grown = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto hash = random() % 30'000;
    if (hash % 2 == 0) hash = (hash << 23) & ((std::uint64_t{1} << DistinctNumbers::hash_bits) - 1);
    const auto next = static_cast<std::uint32_t>(known.size());
    const auto number = numbers.number_of(hash, grown);
    ASSERT_TRUE(number);
    EXPECT_EQ(*number, known.emplace(hash, next).first->second);
  }
  EXPECT_EQ(numbers.size(), known.size());
  EXPECT_GE(grown, known.size() * 8);
  EXPECT_LE(grown, known.size() * 32);
}

// Few of many, all of many, and those between: lists, bits and the change from one to the other.
TEST(DistinctSet, CountsAsASetDoes) {
  std::mt19937_64 random(2);
  for (const std::uint32_t all : {1U, 5U, 64U, 1'000U, 100'000U}) {
    for (const std::size_t inserted : {1UL, 10UL, 300UL, 3'000UL, 60'000UL}) {
      DistinctSet set;
      std::set<std::uint32_t> expected;
      std::size_t grown = 0;
      std::size_t numbers = 0;
      for (std::size_t i = 0; i < inserted; ++i) {
        const auto number = static_cast<std::uint32_t>(random() % all);
        numbers = std::max<std::size_t>(numbers, number + 1);
        grown += set.insert(number, numbers);
        expected.insert(number);
      }
      EXPECT_EQ(set.size(), expected.size()) << all << ", " << inserted;
      EXPECT_LE(grown, std::max<std::size_t>(64, std::min<std::size_t>(expected.size() * 16, all) + all)) << all << ", " << inserted;
    }
  }
}

}  // namespace
}  // namespace picket::query

#include "api/query/distinct.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

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

TEST(DistinctNumbers, OfABlockAreThoseOfItsRows) {
  std::mt19937_64 random(3);
  DistinctNumbers at_once;
  DistinctNumbers each;
  for (int block = 0; block < 20; ++block) {
    std::vector<std::int64_t> hashes(1000);
    for (auto& hash : hashes) hash = random() % 9 == 0 ? -1 : static_cast<std::int64_t>(random() % 5'000);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < hashes.size(); row += 1 + static_cast<std::uint32_t>(random() % 3)) rows.push_back(row);
    std::size_t grown = 0;
    const auto numbers = at_once.number_all(hashes, rows, grown);
    std::size_t expected_grown = block == 0 ? hashes.size() * sizeof(std::uint32_t) : 0;
    for (const auto row : rows) {
      const auto expected = hashes[row] < 0 ? DistinctNumbers::no_number
                                            : each.number_of(static_cast<std::uint64_t>(hashes[row]), expected_grown).value();
      EXPECT_EQ(numbers[row], expected) << block << ", " << row;
    }
    EXPECT_EQ(grown, expected_grown);
  }
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

TEST(DistinctSet, TakesTheRowsOfABlockAsOneAfterTheOther) {
  std::mt19937_64 random(4);
  for (const std::uint32_t all : {10U, 500U, 40'000U}) {
    DistinctSet set;
    std::set<std::uint32_t> expected;
    std::size_t numbers = 0;
    for (int block = 0; block < 30; ++block) {
      std::vector<std::uint32_t> inserted(700);
      std::vector<std::uint32_t> rows;
      for (std::uint32_t row = 0; row < inserted.size(); ++row) {
        const bool none = random() % 7 == 0;
        inserted[row] = none ? DistinctNumbers::no_number : static_cast<std::uint32_t>(random() % all);
        if (!none) numbers = std::max<std::size_t>(numbers, inserted[row] + std::size_t{1});
        if (random() % 2 == 0) continue;
        rows.push_back(row);
        if (!none) expected.insert(inserted[row]);
      }
      set.insert_all(inserted, rows, numbers);
      ASSERT_EQ(set.size(), expected.size()) << all << ", " << block;
    }
  }
}

}  // namespace
}  // namespace picket::query

#include "api/query/group_numbers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace picket::query {
namespace {

TEST(RowSorter, KeepsTheRowsOfEachGroupTogetherAndInOrder) {
  std::mt19937_64 random(1);
  RowSorter sorter;
  for (const std::size_t count : {0U, 1U, 3U, 100U, 4096U, 8193U}) {
    for (const std::size_t groups : {1U, 2U, 20U, 5000U}) {
      std::vector<std::uint32_t> rows(count);
      std::vector<std::uint32_t> numbers(count);
      std::map<std::size_t, std::vector<std::uint32_t>> expected;
      for (std::size_t i = 0; i < count; ++i) {
        rows[i] = static_cast<std::uint32_t>(3 * i);
        numbers[i] = static_cast<std::uint32_t>(random() % groups);
        expected[numbers[i]].push_back(rows[i]);
      }
      const auto sorted = sorter.sort(rows, numbers, groups);
      ASSERT_EQ(sorted.rows.size(), count);
      ASSERT_EQ(sorted.ends.size(), groups);
      for (std::size_t group = 0; group < groups; ++group) {
        const auto own = sorted.of(group);
        ASSERT_EQ(std::vector<std::uint32_t>(own.begin(), own.end()), expected[group]) << group << " of " << groups;
      }
    }
  }
}

TEST(RowSorter, OfNoGroupsHasNoRows) {
  EXPECT_TRUE(RowSorter().sort({}, {}, 0).rows.empty());
}

}  // namespace
}  // namespace picket::query

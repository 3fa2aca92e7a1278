#include "api/query/group_numbers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
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
      ASSERT_EQ(sorted.ends.size(), expected.size());  // those that have rows
      for (std::size_t place = 0; const auto& [group, own_rows] : expected) {
        const auto own = sorted.of(place++);
        ASSERT_EQ(std::vector<std::uint32_t>(own.begin(), own.end()), own_rows) << group << " of " << groups;
      }
    }
  }
}

// JSON may say "\u0000" anywhere.
TEST(GroupKey, TellsValuesApartWhateverTheyHold) {
  const auto key = [](const std::vector<std::string>& texts) {
    std::string made;
    for (const auto& text : texts) append_group_key(made, FactValue{.kind = FactValue::Kind::text, .integer = 0, .number = 0, .text = text});
    return made;
  };
  const auto between = std::string(1, '\0') + static_cast<char>(FactValue::Kind::text);
  EXPECT_NE(key({"x" + between + "y", "z"}), key({"x", "y" + between + "z"}));
  EXPECT_NE(key({"x", ""}), key({"", "x"}));
  EXPECT_EQ(key({"x", "y"}), key({"x", "y"}));
}

TEST(RowSorter, OfNoGroupsHasNoRows) {
  EXPECT_TRUE(RowSorter().sort({}, {}, 0).rows.empty());
}

}  // namespace
}  // namespace picket::query

#include "buffer/text_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace picket::buffer {
namespace {

TEST(TextTable, NumbersEachTextOnceInTheOrderOfArrival) {
  TextTable table;
  EXPECT_FALSE(table.find("a"));
  EXPECT_EQ(table.intern("b"), 0U);
  EXPECT_EQ(table.intern(""), 1U);
  EXPECT_EQ(table.intern("a"), 2U);
  EXPECT_EQ(table.intern("b"), 0U);
  EXPECT_EQ(table.intern(std::string_view()), 1U);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.find("a"), 2U);
  EXPECT_FALSE(table.find("c"));
}

TEST(TextTable, AgreesWithAMapOverManyTexts) {
  std::mt19937_64 random(7);
  TextTable table;
  std::unordered_map<std::string, std::uint32_t> model;
  for (int i = 0; i < 50'000; ++i) {
    std::string text(random() % 70, 'x');
    for (auto& c : text)
      c = static_cast<char>(random() % 3);
    if (i % 1000 == 0) text.assign(40'000 + i, 'l');
    const auto [at, added] = model.emplace(text, model.size());
    ASSERT_EQ(table.intern(text), at->second);
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [text, number] : model) {
    ASSERT_EQ(table[number], text);
    ASSERT_EQ(table.find(text), number);
  }
}

TEST(TextTable, TextsStayWhereTheyAreWhenItMoves) {
  TextTable table;
  table.intern("first");
  const auto before = table[0];
  for (int i = 0; i < 5000; ++i)
    table.intern(std::to_string(i));
  const auto moved = std::move(table);
  EXPECT_EQ(moved[0].data(), before.data());
  EXPECT_EQ(moved[0], "first");
}

TEST(TextHash, EveryByteAndTheLengthCount) {
  std::set<std::uint64_t> seen;
  std::size_t made = 0;
  for (std::size_t size = 0; size < 60; ++size) {
    const std::string plain(size, 'a');
    seen.insert(text_hash(plain));
    ++made;
    for (std::size_t at = 0; at < size; ++at) {
      auto changed = plain;
      changed[at] = 'b';
      seen.insert(text_hash(changed));
      ++made;
    }
  }
  EXPECT_EQ(seen.size(), made);
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/packed_block.h"

#include "buffer/keys.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

using PackedModel = std::map<std::string, std::string>;
constexpr PackedRule small{.most_bytes = 300, .ascending = false};

PackedBlock block_of(const PackedModel& rows) {
  PackedBlock block;
  for (const auto& [key, value] : rows) block.put(key, value);
  return block;
}

PackedModel rows_of(const PackedBlock& block) {
  PackedModel rows;
  for (std::size_t i = 0; i < block.size(); ++i) rows.emplace(block.key(i), block.value(i));
  return rows;
}

// What is read back from all parts.
PackedModel read_back(const PackedBlock& block, const PackedRule& rule) {
  PackedModel rows;
  for (const auto& part : block.render(rule)) {
    PackedBlock read;
    EXPECT_TRUE(read.read(block.key(part.first), part.stored));
    rows.merge(rows_of(read));
  }
  return rows;
}

std::string random_text(std::mt19937_64& random, std::size_t most_bytes) {
  std::string text;
  for (auto left = random() % (most_bytes + 1); left > 0; --left) text += static_cast<char>(random() % 4);
  return text;
}

TEST(PackedBlock, ReadsBackWhatItWrote) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 500; ++round) {
    PackedModel rows;
    for (auto count = 1 + random() % 40; count > 0; --count) {
      rows[std::string(1, static_cast<char>(random() % 3)) + random_text(random, 60)] = random_text(random, 90);
    }
    const auto block = block_of(rows);
    ASSERT_EQ(rows_of(block), rows);
    ASSERT_EQ(read_back(block, small), rows);
    ASSERT_EQ(read_back(block, {.most_bytes = 4080, .ascending = true}), rows);
  }
}

// What is read, changed and written again shares rows with what was read.
TEST(PackedBlock, ReadsBackWhatWasChangedInABlockThatWasRead) {
  std::mt19937_64 random(13);
  for (int round = 0; round < 300; ++round) {
    PackedModel rows;
    for (int i = 0; i < 20; ++i) rows[std::string(Key().u64(random() % 60).text(random_text(random, 6)))] = random_text(random, 30);
    const auto first = block_of(rows).render({.most_bytes = 4080, .ascending = true});
    ASSERT_EQ(first.size(), 1U);
    PackedBlock block;
    ASSERT_TRUE(block.read(rows.begin()->first, first.front().stored));
    for (auto changes = random() % 8; changes > 0; --changes) {
      const auto chosen = std::next(rows.begin(), static_cast<std::ptrdiff_t>(random() % rows.size()));
      const auto key = random() % 2 == 0 ? chosen->first : std::string(Key().u64(random() % 60).text(random_text(random, 6)));
      if (random() % 3 == 0 && rows.size() > 1) {
        EXPECT_EQ(block.remove(key), rows.erase(key) == 1);
      } else {
        const auto value = random_text(random, 30);
        block.put(key, value);
        rows[key] = value;
      }
    }
    ASSERT_EQ(rows_of(block), rows);
    ASSERT_EQ(read_back(block, {.most_bytes = 4080, .ascending = true}), rows);
    ASSERT_EQ(read_back(block, {.most_bytes = 100, .ascending = false}), rows);
  }
}

TEST(PackedBlock, KeepsEmptyAndLargeValues) {
  const PackedModel rows{{"a", ""}, {"b", std::string(100'000, 'x')}, {"c", ""}, {"d", std::string(8, 'y')}};
  EXPECT_EQ(read_back(block_of(rows), small), rows);
}

TEST(PackedBlock, NeighboursCostAFewBytes) {
  PackedBlock block;
  for (std::uint64_t i = 0; i < 60; ++i) {
    block.put(Key().u64(77).u64(1'700'000'000'000 + 37 * i).u64(12'345 + 3 * i).u16(0), "");
  }
  const auto parts = block.render({.most_bytes = 4080, .ascending = true});
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_LT(parts.front().stored.size(), 60U * 9);
}

TEST(PackedBlock, AValueThatIsNoBlockIsOneRow) {
  PackedBlock block;
  // A row of before: a message, an event id that begins as a block does, nothing at all.
  for (const auto& stored : {std::string("\x0a\x10 a message"), std::string("\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"), std::string()}) {
    ASSERT_TRUE(block.read("key", stored));
    EXPECT_EQ(rows_of(block), (PackedModel{{"key", stored}}));
  }
}

TEST(PackedBlock, NoBlockHasALengthOfWhatIsNoBlock) {
  for (std::size_t bytes = 0; bytes < 600; ++bytes) {
    PackedBlock block;
    block.put("k", std::string(bytes, 'v'));
    const auto parts = block.render(small);
    ASSERT_EQ(parts.size(), 1U);
    for (const auto taken : {0U, 8U, 10U, 16U, 512U}) EXPECT_NE(parts.front().stored.size(), taken);
  }
}

TEST(PackedBlock, PutReplacesAndRemoveRemoves) {
  PackedBlock block;
  block.put("b", "one");
  block.put("a", "two");
  block.put("b", "three");
  EXPECT_EQ(rows_of(block), (PackedModel{{"a", "two"}, {"b", "three"}}));
  EXPECT_TRUE(block.remove("a"));
  EXPECT_FALSE(block.remove("a"));
  EXPECT_FALSE(block.remove("c"));
  EXPECT_EQ(rows_of(block), (PackedModel{{"b", "three"}}));
}

TEST(PackedBlock, BlocksOfRowsInOrderAreFilledToTheBrim) {
  PackedBlock block;
  std::mt19937_64 random(3);
  for (std::uint64_t i = 0; i < 1000; ++i) block.put(Key().u64(i), std::to_string(random()));
  const auto parts = block.render({.most_bytes = 1000, .ascending = true});
  ASSERT_GT(parts.size(), 5U);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) EXPECT_GT(parts[i].stored.size(), 960U);
  for (const auto& part : parts) EXPECT_LE(part.stored.size(), 1000U);
}

TEST(PackedBlock, WhatIsSplitAnywhereLeavesRoomInEveryPart) {
  PackedBlock block;
  std::mt19937_64 random(3);
  for (std::uint64_t i = 0; block.render(small).size() < 2; ++i) block.put(Key().u64(i), std::to_string(random()));
  const auto parts = block.render(small);
  ASSERT_EQ(parts.size(), 2U);
  for (const auto& part : parts) {
    EXPECT_LT(part.stored.size(), 220U);
    EXPECT_GT(part.stored.size(), 100U);
  }
}

TEST(PackedBlock, DamagedBytesNeverReadOutsideAndAreNeverTakenForMoreThanTheyAre) {
  std::mt19937_64 random(11);
  PackedModel rows;
  for (std::uint64_t i = 0; i < 30; ++i) rows[std::string(Key().u64(i).text("key"))] = random_text(random, 40);
  const auto part = block_of(rows).render({.most_bytes = 4080, .ascending = true}).front();
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = part.stored;
    for (auto changes = 1 + random() % 3; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    // A copy of its own, so that a sanitizer sees what lies behind it.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    PackedBlock block;
    const bool read = block.read("first", {exact.data(), exact.size()});
    if (!read) {
      ASSERT_TRUE(block.empty());
    }
    for (std::size_t i = 1; i < block.size(); ++i) ASSERT_LT(block.key(i - 1), block.key(i));
  }
}

TEST(PackedBlock, AnnouncedLengthsAreCheckedBeforeAnythingIsTaken) {
  const std::string huge = "\xff\xff\xff\x7f";  // some 256 MB
  PackedBlock block;
  EXPECT_FALSE(block.read("k", std::string("\xff\x02") + huge));
  EXPECT_FALSE(block.read("k", std::string("\xff\x02\x01v", 4) + "\x02" + huge + "\x11\x11"));
  EXPECT_FALSE(block.read("k", std::string("\xff\x02\x01v", 4) + "\x01" + huge + "\x11\x11"));
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/file_check.h"

#include "buffer/env.h"
#include "support/files.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

using testing::read_file;
using testing::TempDir;
using testing::write_over;

constexpr std::size_t page_bytes = 4096;

std::string key_of(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(8 - digits.size(), '0') + digits;
}

template <class Number>
Number at(std::string_view bytes, std::size_t place) {
  Number number{};
  std::memcpy(&number, bytes.data() + place, sizeof number);
  return number;
}

class FileCheck : public ::testing::Test {
 protected:
  // The numbers of the leaves in the order of their keys.
  std::vector<std::uint64_t> leaves() const {
    std::map<std::string, std::uint64_t> by_key;
    const auto bytes = read_file(path);
    for (std::uint64_t number = 2; (number + 1) * page_bytes <= bytes.size(); ++number) {
      const auto page = std::string_view(bytes).substr(number * page_bytes, page_bytes);
      if (at<std::uint64_t>(page, 0) != number || at<std::uint16_t>(page, 10) != 2) continue;
      const auto node = page.substr(at<std::uint16_t>(page, 16));
      by_key[std::string(node.substr(8, at<std::uint16_t>(node, 6)))] = number;
    }
    std::vector<std::uint64_t> found;
    for (const auto& [key, number] : by_key) found.push_back(number);
    return found;
  }

  // One commit, whose leaves are all in use.
  void fill(std::uint64_t entries) {
    auto env = Env::open({.path = path});
    ASSERT_TRUE(env);
    const auto table = env->open_table("");
    auto txn = WriteTxn::begin(*env);
    for (std::uint64_t i = 0; i < entries; ++i) ASSERT_TRUE(txn->append(*table, key_of(i), std::string(100, 'v')));
    ASSERT_TRUE((*std::move(txn)).commit());
  }

  std::string page(std::uint64_t number) const { return read_file(path).substr(number * page_bytes, page_bytes); }

  // As a disk does that lost what was written to page `number`, where `bytes` had been before.
  void put_page(std::uint64_t number, std::string bytes) {
    std::memcpy(bytes.data(), &number, sizeof number);
    write_over(path, number * page_bytes, bytes);
  }

  void expect_corrupt(std::string_view why) const {
    const auto checked = check_file(path);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().fault, Fault::corrupt);
    EXPECT_NE(checked.error().detail.find(why), std::string::npos) << checked.error().detail;
  }

  TempDir dir;
  std::filesystem::path path = dir.path() / "file.mdb";
};

TEST_F(FileCheck, ALeafOfAnEarlierStateIsOutOfOrder) {
  fill(400);
  ASSERT_TRUE(check_file(path));
  const auto all = leaves();
  ASSERT_GT(all.size(), 4U);
  const auto last = page(all.back());
  put_page(all.back(), page(all[1]));
  expect_corrupt("order");
  put_page(all.back(), last);
  EXPECT_TRUE(check_file(path));
  // In order among themselves, but where no look-up finds them.
  const auto before_last = page(all[all.size() - 2]);
  put_page(all[all.size() - 2], last);
  expect_corrupt("order");
  put_page(all[all.size() - 2], before_last);
  EXPECT_TRUE(check_file(path));
}

TEST_F(FileCheck, ALeafBelowItsBranchIsOutOfOrderThoughNothingIsBesideIt) {
  fill(60);
  const auto all = leaves();
  ASSERT_EQ(all.size(), 2U);
  const auto first = page(all[0]);
  put_page(all[0], page(all[1]));
  expect_corrupt("order");
  put_page(all[0], first);
  put_page(all[1], first);
  expect_corrupt("order");
}

TEST_F(FileCheck, ALeafWithFewerEntriesThanItHadIsFound) {
  fill(400);
  const auto last = leaves().back();
  auto shorter = page(last);
  const auto lower = static_cast<std::uint16_t>(at<std::uint16_t>(shorter, 12) - 2);
  std::memcpy(shorter.data() + 12, &lower, sizeof lower);
  put_page(last, shorter);
  expect_corrupt("a tree of 400 entries has 399");
}

// What LMDB itself makes is never taken for damaged: rows that come, change and go at random, in several tables.
TEST_F(FileCheck, WhatLmdbWritesIsInOrder) {
  std::mt19937 random(20'261'202);
  const auto pick = [&](std::size_t below) { return random() % below; };
  for (int round = 0; round < 8; ++round) {
    std::filesystem::remove(path);
    auto env = Env::open({.path = path, .tables = 3});
    ASSERT_TRUE(env);
    std::vector<TableHandle> tables;
    if (round % 2 == 0) {
      tables.push_back(*env->open_table(""));
    } else {
      for (const auto* name : {"a", "b", "c"}) tables.push_back(*env->open_table(name));
    }
    const std::size_t keys = 50 + pick(3'000);
    const std::size_t longest = 1 + pick(60);
    for (int commit = 0; commit < 45; ++commit) {
      auto txn = WriteTxn::begin(*env);
      ASSERT_TRUE(txn);
      const bool grows = (commit / 15) % 2 == 0;
      for (std::size_t change = pick(200); change > 0; --change) {
        const auto table = tables[pick(tables.size())];
        // Keys of any length, of which some begin as others do.
        const auto number = pick(keys);
        const auto key = key_of(number).substr(pick(4)) + std::string(number % longest, static_cast<char>('a' + number % 3));
        if (pick(10) < (grows ? 8 : 2)) {
          ASSERT_TRUE(txn->put(table, key, std::string(pick(pick(20) == 0 ? 9'000 : 300), 'v')));
        } else {
          ASSERT_TRUE(txn->remove(table, key));
        }
      }
      ASSERT_TRUE((*std::move(txn)).commit());
      const auto checked = check_file(path);
      ASSERT_TRUE(checked) << checked.error().detail << " in round " << round << " after commit " << commit;
    }
  }
}

}  // namespace
}  // namespace picket::buffer

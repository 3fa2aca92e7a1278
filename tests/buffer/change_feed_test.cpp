#include "buffer/change_feed.h"

#include "buffer/keys.h"
#include "buffer/tables.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace picket::buffer {
namespace {

std::unique_ptr<Tables> open_in(const testing::TempDir& folder) {
  auto tables = Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
  EXPECT_TRUE(tables) << tables.error().detail;
  return *std::move(tables);
}

void touch(Tables& tables, Table table, std::uint64_t id) {
  ASSERT_TRUE(tables.write([&](Batch& batch) { batch.put(table, Key().u64(id), "x"); }));
}

TEST(ChangeFeed, TellsTheIssuesTouchedBetweenTwoSnapshots) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  touch(*tables, Table::issues, 1);
  const auto before = tables->snapshot().transaction();
  touch(*tables, Table::issues, 2);
  touch(*tables, Table::releases, 3);
  touch(*tables, Table::issue_counters, 4);
  const auto touched = tables->issues_touched(before, tables->snapshot().transaction());
  ASSERT_TRUE(touched);
  EXPECT_EQ(*touched, (std::vector<std::string>{std::string(Key().u64(2)), std::string(Key().u64(4))}));
}

TEST(ChangeFeed, AFailedBatchTouchesNothing) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  touch(*tables, Table::issues, 1);
  const auto before = tables->snapshot().transaction();
  ASSERT_FALSE(tables->write([&](Batch& batch) {
    batch.put(Table::issues, Key().u64(9), "x");
    batch.fail({Fault::malformed, "no"});
  }));
  ASSERT_TRUE(tables->write([](Batch&) {}));
  touch(*tables, Table::issues, 2);
  const auto touched = tables->issues_touched(before, tables->snapshot().transaction());
  ASSERT_TRUE(touched);
  EXPECT_EQ(*touched, std::vector<std::string>{std::string(Key().u64(2))});
}

TEST(ChangeFeed, KnowsNothingOfTheTimeBeforeItWasOpened) {
  const testing::TempDir folder;
  {
    auto tables = open_in(folder);
    touch(*tables, Table::issues, 1);
    touch(*tables, Table::issues, 2);
  }
  auto tables = open_in(folder);
  const auto before = tables->snapshot().transaction() - 1;
  touch(*tables, Table::issues, 3);
  EXPECT_FALSE(tables->issues_touched(before, tables->snapshot().transaction()));
}

TEST(ChangeFeed, AHoleMakesItForgetWhatWasBefore) {
  ChangeFeed feed(1 << 20);
  feed.record(5, {"a"});
  feed.record(7, {"b"});
  EXPECT_FALSE(feed.since(4, 7));
  EXPECT_FALSE(feed.since(5, 7));
  EXPECT_TRUE(feed.since(6, 7));
}

TEST(ChangeFeed, DropsTheOldestAndThenSaysSo) {
  ChangeFeed feed(10'000);
  for (std::uint64_t i = 1; i <= 1'000; ++i) feed.record(i, {"12345678"});
  EXPECT_FALSE(feed.since(0, 1'000));
  const auto newest = feed.since(990, 1'000);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->size(), 10U);
}

TEST(ChangeFeed, WhatWasTakenBackNeverHappened) {
  ChangeFeed feed(1 << 20);
  feed.record(1, {"a"});
  feed.record(2, {"b"});
  feed.take_back(2);
  feed.record(2, {"c"});
  EXPECT_EQ(feed.since(0, 2), (std::vector<std::string>{"a", "c"}));
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/tables.h"

#include "buffer/keys.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <string>

namespace picket::buffer {
namespace {

std::unique_ptr<Tables> open_in(const testing::TempDir& folder) {
  auto tables = Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
  EXPECT_TRUE(tables) << tables.error().detail;
  return *std::move(tables);
}

TEST(Tables, WrittenRowsAreThereAfterReopening) {
  const testing::TempDir folder;
  {
    auto tables = open_in(folder);
    ASSERT_TRUE(tables->write([](Batch& batch) { batch.put(Table::meta, "k", "v"); }));
  }
  auto tables = open_in(folder);
  EXPECT_EQ(tables->snapshot().get(Table::meta, "k"), "v");
}

TEST(Tables, AFailedBatchLeavesNothingBehind) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  const auto written = tables->write([](Batch& batch) {
    batch.put(Table::meta, "k", "v");
    batch.fail({Fault::malformed, "changed my mind"});
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().detail, "changed my mind");
  EXPECT_FALSE(tables->snapshot().get(Table::meta, "k"));
}

TEST(Tables, AKeyThatIsTooLongIsAnErrorAndNotACrash) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  const std::string key(600, 'x');
  EXPECT_FALSE(tables->write([&](Batch& batch) { batch.put(Table::meta, key, "v"); }));
  EXPECT_FALSE(tables->snapshot().get(Table::meta, key));
}

TEST(Tables, ASnapshotDoesNotSeeLaterWrites) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  ASSERT_TRUE(tables->write([](Batch& batch) { batch.put(Table::meta, "k", "old"); }));
  const auto before = tables->snapshot();
  ASSERT_TRUE(tables->write([](Batch& batch) { batch.put(Table::meta, "k", "new"); }));
  EXPECT_EQ(before.get(Table::meta, "k"), "old");
  EXPECT_EQ(tables->snapshot().get(Table::meta, "k"), "new");
}

TEST(Tables, NumbersOfASequenceAreNeverGivenTwice) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  ASSERT_TRUE(tables->write([](Batch& batch) {
    EXPECT_EQ(batch.next_number("issue"), 1U);
    EXPECT_EQ(batch.next_number("issue"), 2U);
    EXPECT_EQ(batch.next_number("project"), 1U);
  }));
  ASSERT_TRUE(tables->write([](Batch& batch) { EXPECT_EQ(batch.next_number("issue"), 3U); }));
}

TEST(Tables, ACursorWalksBothWaysAndStopsAtTheEnds) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  ASSERT_TRUE(tables->write([](Batch& batch) {
    for (const auto key : {"a", "c", "e"}) batch.put(Table::meta, key, key);
  }));
  const auto snapshot = tables->snapshot();
  auto cursor = snapshot.cursor(Table::meta);
  ASSERT_TRUE(cursor.seek("b"));
  EXPECT_EQ(cursor.key(), "c");
  ASSERT_TRUE(cursor.seek_before("e"));
  EXPECT_EQ(cursor.key(), "c");
  ASSERT_TRUE(cursor.next());
  EXPECT_FALSE(cursor.next());
  EXPECT_FALSE(cursor.valid());
  ASSERT_TRUE(cursor.seek_before("zzz"));
  EXPECT_EQ(cursor.key(), "e");
  EXPECT_FALSE(cursor.seek_before("a"));
}

TEST(Tables, AscendingTablesAcceptAKeyThatComesLate) {
  const testing::TempDir folder;
  auto tables = open_in(folder);
  ASSERT_TRUE(tables->write([](Batch& batch) {
    batch.put(Table::events, Key().u64(5), "five");
    batch.put(Table::events, Key().u64(3), "three");
    batch.put(Table::events, Key().u64(5), "five again");
  }));
  const auto snapshot = tables->snapshot();
  EXPECT_EQ(snapshot.get(Table::events, Key().u64(3)), "three");
  EXPECT_EQ(snapshot.get(Table::events, Key().u64(5)), "five again");
  EXPECT_EQ(snapshot.entries(Table::events), 2U);
}

}  // namespace
}  // namespace picket::buffer

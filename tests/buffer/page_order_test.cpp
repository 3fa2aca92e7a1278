// Free pages are used again from the lowest on, so that long stretches of them last.
#include "buffer/page_order.h"
#include "buffer/keys.h"
#include "buffer/tables.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace picket::buffer {
namespace {

constexpr std::size_t page = 4096;

class PageOrderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Tables::open({.path = folder / "tables.mdb",
                                .map_bytes = std::uint64_t{1} << 30,
                                .least_free_bytes = 1000,
                                .disk_free = [this] { return disk_free; }});
    ASSERT_TRUE(opened) << opened.error().detail;
    tables = *std::move(opened);
  }
  void put_long(const std::string& key, std::size_t pages) {
    ASSERT_TRUE(tables->write([&](Batch& batch) { batch.put(Table::raw_items, key, std::string(pages * page - 16, 'l')); }));
  }
  void put_row(std::uint64_t number) {
    ASSERT_TRUE(tables->write([&](Batch& batch) { batch.put(Table::facts, Key().u64(number), std::string(3'000, 'r')); }));
  }
  // Rows of a page each, every second of which goes again.
  void make_holes() {
    ASSERT_TRUE(tables->write([](Batch& batch) {
      for (std::uint64_t row = 0; row < 2 * holes; ++row) batch.put(Table::facts, Key().u64(row), std::string(3'000, 'r'));
    }));
  }
  void open_holes() {
    ASSERT_TRUE(tables->write([](Batch& batch) {
      for (std::uint64_t row = 0; row < 2 * holes; row += 2) batch.remove(Table::facts, Key().u64(row));
    }));
  }
  bool has_value() { return tables->snapshot().get(Table::meta, "page_order").has_value(); }
  std::uint64_t file_pages() { return tables->use().used_pages; }

  static constexpr std::uint64_t holes = 1'500;
  std::uint64_t disk_free = 1000;
  const testing::TempDir folder;
  std::unique_ptr<Tables> tables;
};

// The long value's pages are the older ones in the list, the holes before it the lower ones. Some of them are gone before order is made.
TEST_F(PageOrderTest, SinglePagesLeaveALongStretchForALongValue) {
  make_holes();
  put_long("first", 60);
  put_long("behind it", 40);
  ASSERT_TRUE(tables->write([](Batch& batch) { batch.remove(Table::raw_items, "first"); }));
  open_holes();
  for (std::uint64_t row = 0; row < 4; ++row) put_row(10'000 + row);
  EXPECT_TRUE(has_value());
  const auto before = file_pages();
  for (std::uint64_t row = 0; row < 60; ++row) put_row(20'000 + row);
  put_long("second", 40);
  EXPECT_EQ(file_pages(), before);
}

// Give it up and write it as often as it likes: it takes its own place again, or the file would grow each time.
TEST_F(PageOrderTest, TheValueTakesItsOwnPlaceAgain) {
  make_holes();
  open_holes();
  for (std::uint64_t row = 0; row < 4; ++row) put_row(10'000 + row);
  ASSERT_TRUE(has_value());
  auto absent = 0;
  const auto before = file_pages();
  for (std::uint64_t round = 0; round < 8; ++round) {
    ASSERT_TRUE(tables->write([&](Batch& batch) {
      for (std::uint64_t row = 1; row < 2 * holes; row += 2)
        batch.put(Table::facts, Key().u64(row), std::string(3'000, static_cast<char>('a' + round)));
    }));
    for (std::uint64_t row = 0; row < 3; ++row) {
      put_row(10'000 + row);
      absent += has_value() ? 0 : 1;
    }
  }
  EXPECT_EQ(absent, 8 * 2) << "given up behind each large batch, and back two transactions later";
  EXPECT_LE(file_pages(), before + 2 * holes) << "what two batches change, and no value's pages";
  const auto grown = file_pages();
  for (std::uint64_t row = 0; row < 200; ++row) put_row(10'000 + row % 4);
  EXPECT_EQ(file_pages(), grown);
}

TEST_F(PageOrderTest, LittleIsWrittenWithoutIt) {
  for (std::uint64_t row = 0; row < 100; ++row) put_row(row % 4);
  EXPECT_FALSE(has_value());
}

TEST_F(PageOrderTest, AFullDiskIsLeftToWhatHasToBeWritten) {
  make_holes();
  disk_free = 999;
  open_holes();
  for (std::uint64_t row = 0; row < 8; ++row) put_row(row);
  EXPECT_FALSE(has_value());
}

// One that fails gives the value up, another one writes it: neither is so in the file, and both are done again.
TEST_F(PageOrderTest, ABatchThatFailsHindersNoneBehindIt) {
  const auto fail = [&] { EXPECT_FALSE(tables->write([](Batch& batch) { batch.fail({Fault::malformed, "changed my mind"}); })); };
  make_holes();
  open_holes();
  for (int failing = 0; failing < 3; ++failing) fail();
  for (std::uint64_t row = 0; row < 2; ++row) put_row(10'000 + row);
  fail();
  put_row(10'002);
  EXPECT_FALSE(has_value());
  ASSERT_TRUE(tables->write([](Batch& batch) {
    for (std::uint64_t row = 1; row < 2 * holes; row += 2) batch.put(Table::facts, Key().u64(row), std::string(3'000, 's'));
  }));
  for (std::uint64_t row = 0; row < 3; ++row) put_row(10'000 + row);
  EXPECT_TRUE(has_value());
  EXPECT_EQ(tables->snapshot().get(Table::facts, Key().u64(3)), std::string(3'000, 's'));
}

}  // namespace
}  // namespace picket::buffer

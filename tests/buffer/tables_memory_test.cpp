// What LMDB keeps for its writer goes back when its file is opened anew, with readers and writers beside.
#include "buffer/keys.h"
#include "buffer/tables.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // NOLINT(bugprone-reserved-identifier)
#else
#include <malloc.h>
#endif

namespace picket::buffer {
namespace {

std::size_t allocated_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

class TablesMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Tables::open({.path = folder / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    ASSERT_TRUE(opened) << opened.error().detail;
    tables = *std::move(opened);
  }
  Result<void> fill(char with) {
    return tables->write([with](Batch& batch) {
      for (std::uint64_t row = 0; row < rows; ++row) batch.put(Table::meta, Key().u64(row), std::string(1'500, with));
    });
  }

  static constexpr std::uint64_t rows = 4'000;  // two on a page
  const testing::TempDir folder;
  std::unique_ptr<Tables> tables;
};

TEST_F(TablesMemory, OfTheLargestBatchGoesBackOnceNobodyReads) {
  ASSERT_TRUE(fill('a'));
  const auto kept = allocated_bytes();
  {
    const auto held = tables->snapshot();
    EXPECT_FALSE(tables->give_back_memory());
    EXPECT_EQ(held.get(Table::meta, Key().u64(7)), std::string(1'500, 'a'));
  }
  EXPECT_GT(allocated_bytes() + 1'000'000, kept);
  EXPECT_FALSE(tables->write([&](Batch& batch) {
    EXPECT_FALSE(tables->give_back_memory());
    batch.fail({Fault::malformed, "only to look"});
  }));
  ASSERT_TRUE(tables->give_back_memory());
  EXPECT_LT(allocated_bytes() + rows / 2 * 4096 * 9 / 10, kept);
  const auto snapshot = tables->snapshot();
  for (std::uint64_t row = 0; row < rows; ++row) ASSERT_EQ(snapshot.get(Table::meta, Key().u64(row)), std::string(1'500, 'a')) << row;
}

TEST_F(TablesMemory, NumbersAndChangesGoOn) {
  ASSERT_TRUE(fill('a'));
  const auto before = tables->snapshot().transaction();
  ASSERT_TRUE(tables->give_back_memory());
  EXPECT_EQ(tables->snapshot().transaction(), before);
  const std::string issue(Key().u64(9).view());
  ASSERT_TRUE(tables->write([&](Batch& batch) { batch.put(Table::issues, issue, "row"); }));
  ASSERT_TRUE(tables->give_back_memory());
  const auto after = tables->snapshot().transaction();
  EXPECT_EQ(after, before + 1);
  EXPECT_EQ(tables->issues_touched(before, after), std::vector<std::string>{issue});
}

TEST_F(TablesMemory, ReadersAndWritersBesideSeeWholeBatches) {
  constexpr std::uint64_t batches = 300;
  const auto write = [&](std::uint64_t number) {
    return tables->write([number](Batch& batch) {
      batch.put(Table::meta, "one", Key().u64(number));
      batch.put(Table::cursors, "other", Key().u64(number));
    });
  };
  ASSERT_TRUE(write(0));
  std::atomic<bool> done{false};
  const auto read = [&] {
    for (std::uint64_t last = 0; !done;) {
      {
        const auto snapshot = tables->snapshot();
        const auto one = snapshot.get(Table::meta, "one");
        const auto other = snapshot.get(Table::cursors, "other");
        ASSERT_TRUE(one && other);
        ASSERT_EQ(*one, *other);
        const auto number = KeyReader(*one).u64();
        ASSERT_GE(number, last);
        last = number;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  };
  std::size_t given = 0;
  {
    std::jthread reader(read);
    std::jthread other_reader(read);
    std::jthread writer([&] {
      for (std::uint64_t number = 1; number <= batches; ++number) {
        EXPECT_TRUE(write(number));
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
      done = true;
    });
    while (!done) {
      given += tables->give_back_memory() ? 1U : 0U;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  EXPECT_GT(given, 0U);
  EXPECT_EQ(tables->snapshot().get(Table::meta, "one"), Key().u64(batches).view());
}

}  // namespace
}  // namespace picket::buffer

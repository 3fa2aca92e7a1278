// Packed tables behave as every other does: compared with a std::map over random changes.
#include "buffer/keys.h"
#include "buffer/tables.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace picket::buffer {
namespace {

using RowModel = std::map<std::string, std::string>;

class PackedRowsTest : public ::testing::TestWithParam<Table> {
 protected:
  PackedRowsTest() { reopen(); }

  void reopen() {
    tables_.reset();
    auto tables = Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(tables);
    tables_ = *std::move(tables);
  }

  // Rows as they were before there were blocks: each a value of its own.
  void put_unpacked(const RowModel& rows) {
    tables_.reset();
    auto env = Env::open({.path = folder_ / "tables.mdb", .map_bytes = std::size_t{1} << 30, .tables = table_count});
    ASSERT_TRUE(env);
    const auto handle = env->open_table(table_name(GetParam()));
    ASSERT_TRUE(handle);
    auto txn = WriteTxn::begin(*env);
    ASSERT_TRUE(txn);
    for (const auto& [key, value] : rows) ASSERT_TRUE(txn->put(*handle, key, value));
    ASSERT_TRUE((*std::move(txn)).commit());
  }

  // The values that LMDB holds for the table.
  std::size_t blocks() {
    tables_.reset();
    std::size_t count = 0;
    {
      auto env = Env::open({.path = folder_ / "tables.mdb", .map_bytes = std::size_t{1} << 30, .tables = table_count});
      EXPECT_TRUE(env);
      const auto handle = env->open_table(table_name(GetParam()));
      EXPECT_TRUE(handle);
      count = ReadTxn::begin(*env)->entries(*handle);
    }
    reopen();
    return count;
  }

  void expect_same(const Reader& reader, const RowModel& model) {
    RowModel forward;
    auto cursor = reader.cursor(GetParam());
    for (bool there = cursor.first(); there; there = cursor.next())
      ASSERT_TRUE(forward.emplace(cursor.key(), cursor.value()).second);
    ASSERT_EQ(forward, model);
    auto expected = model.rbegin();
    for (bool there = cursor.last(); there; there = cursor.previous(), ++expected) {
      ASSERT_NE(expected, model.rend());
      ASSERT_EQ(cursor.key(), expected->first);
    }
    ASSERT_EQ(expected, model.rend());
    ASSERT_EQ(reader.entries(GetParam()), model.size());
  }

  void expect_found(const Reader& reader, const RowModel& model, const std::string& key) {
    const auto row = model.find(key);
    const auto found = reader.get(GetParam(), key);
    ASSERT_EQ(found.has_value(), row != model.end());
    if (found) {
      ASSERT_EQ(*found, row->second);
    }
    auto cursor = reader.cursor(GetParam());
    const auto from = model.lower_bound(key);
    ASSERT_EQ(cursor.seek(key), from != model.end());
    if (from != model.end()) {
      ASSERT_EQ(cursor.key(), from->first);
      ASSERT_EQ(cursor.value(), from->second);
    }
    ASSERT_EQ(cursor.seek_before(key), from != model.begin());
    if (from != model.begin()) {
      ASSERT_EQ(cursor.key(), std::prev(from)->first);
    }
  }

  std::string random_key() { return std::string(Key().u64(random_() % 6).u64(random_() % 400).u16(static_cast<std::uint16_t>(random_() % 2))); }
  std::string random_value() { return std::string(random_() % 70, static_cast<char>('a' + random_() % 3)); }

  const testing::TempDir folder_;
  std::unique_ptr<Tables> tables_;
  std::mt19937_64 random_{42};
};

TEST_P(PackedRowsTest, IsWhatAMapIs) {
  ASSERT_TRUE(is_packed(GetParam()));
  RowModel model;
  for (int batch = 0; batch < 60; ++batch) {
    const bool dropped = batch % 7 == 6;
    RowModel changed = model;
    const auto written = tables_->write([&](Batch& rows) {
      for (auto changes = random_() % 200; changes > 0; --changes) {
        const auto key = random_key();
        // Grows for a while, then shrinks.
        const bool removes = random_() % 10 < (batch < 30 ? 2U : 7U);
        if (removes) {
          rows.remove(GetParam(), key);
          changed.erase(key);
        } else {
          const auto value = random_value();
          rows.put(GetParam(), key, value);
          changed[key] = value;
        }
        if (random_() % 20 == 0) expect_found(rows, changed, random_key());
      }
      expect_same(rows, changed);
      if (dropped) rows.fail({Fault::malformed, "dropped"});
    });
    ASSERT_EQ(bool(written), !dropped);
    if (!dropped) model = changed;
    if (batch % 10 == 9) reopen();
    const auto snapshot = tables_->snapshot();
    expect_same(snapshot, model);
    for (int looks = 0; looks < 50; ++looks) expect_found(snapshot, model, random_key());
  }
}

TEST_P(PackedRowsTest, RowsFromBeforeThereWereBlocksAreReadAndChanged) {
  RowModel model;
  for (int i = 0; i < 300; ++i) model[random_key()] = random_value() + "x";
  put_unpacked(model);
  reopen();
  expect_same(tables_->snapshot(), model);
  for (int batch = 0; batch < 20; ++batch) {
    ASSERT_TRUE(tables_->write([&](Batch& rows) {
      for (int i = 0; i < 50; ++i) {
        const auto key = random_key();
        if (random_() % 3 == 0) {
          rows.remove(GetParam(), key);
          model.erase(key);
        } else {
          rows.put(GetParam(), key, "new");
          model[key] = "new";
        }
      }
    }));
    expect_same(tables_->snapshot(), model);
  }
}

TEST_P(PackedRowsTest, WhatIsRemovedLeavesNoBytes) {
  ASSERT_TRUE(tables_->write([&](Batch& rows) {
    for (std::uint64_t i = 0; i < 2000; ++i) rows.put(GetParam(), Key().u64(i), std::to_string(i));
  }));
  EXPECT_LT(blocks(), 100U);
  ASSERT_TRUE(tables_->write([&](Batch& rows) {
    for (std::uint64_t i = 0; i < 2000; ++i) rows.remove(GetParam(), Key().u64(i));
  }));
  EXPECT_EQ(blocks(), 0U);
}

TEST_P(PackedRowsTest, ACursorSeesWhatItsBatchChanges) {
  ASSERT_TRUE(tables_->write([&](Batch& rows) {
    for (std::uint64_t i = 0; i < 100; i += 2) rows.put(GetParam(), Key().u64(i), "old");
    auto cursor = rows.cursor(GetParam());
    ASSERT_TRUE(cursor.seek(Key().u64(10)));
    rows.put(GetParam(), Key().u64(11), "new");
    ASSERT_TRUE(cursor.next());
    EXPECT_EQ(cursor.key(), Key().u64(11).view());
    rows.remove(GetParam(), Key().u64(11));
    rows.remove(GetParam(), Key().u64(12));
    ASSERT_TRUE(cursor.next());
    EXPECT_EQ(cursor.key(), Key().u64(14).view());
    rows.remove(GetParam(), Key().u64(14));
    ASSERT_TRUE(cursor.previous());
    EXPECT_EQ(cursor.key(), Key().u64(10).view());
  }));
}

TEST_P(PackedRowsTest, AnEditorFindsWhatItPut) {
  ASSERT_TRUE(tables_->write([&](Batch& rows) {
    auto editor = rows.edit(GetParam());
    for (std::uint64_t i = 0; i < 500; ++i) {
      EXPECT_FALSE(editor.find(Key().u64(i)));
      editor.put(Key().u64(i), std::to_string(i));
      EXPECT_EQ(editor.find(Key().u64(i)), std::to_string(i));
    }
  }));
  EXPECT_EQ(tables_->snapshot().get(GetParam(), Key().u64(123)), "123");
}

TEST_P(PackedRowsTest, AKeyThatIsTooLongFailsTheBatch) {
  const std::string key(600, 'k');
  const auto written = tables_->write([&](Batch& rows) { rows.put(GetParam(), key, "v"); });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, Fault::too_large);
  EXPECT_FALSE(tables_->snapshot().get(GetParam(), key));
}

TEST_P(PackedRowsTest, ABlockThatMakesNoSenseHidesItsRowsOnly) {
  put_unpacked({{"b", "\xff\x05 no block"}});
  reopen();
  RowModel model{{"a", "1"}, {"bb", "2"}, {"c", "3"}};
  ASSERT_TRUE(tables_->write([&](Batch& rows) {
    for (const auto& [key, value] : model) rows.put(GetParam(), key, value);
  }));
  RowModel seen;
  const auto snapshot = tables_->snapshot();
  auto cursor = snapshot.cursor(GetParam());
  for (bool there = cursor.first(); there; there = cursor.next()) seen.emplace(cursor.key(), cursor.value());
  EXPECT_EQ(seen, model);
  seen.clear();
  for (bool there = cursor.last(); there; there = cursor.previous()) seen.emplace(cursor.key(), cursor.value());
  EXPECT_EQ(seen, model);
  for (const auto& [key, value] : model) EXPECT_EQ(snapshot.get(GetParam(), key), value);
  EXPECT_FALSE(snapshot.get(GetParam(), "b"));
}

INSTANTIATE_TEST_SUITE_P(Rules,
                         PackedRowsTest,
                         ::testing::Values(Table::events, Table::issue_tags),
                         [](const auto& of) { return std::string(table_name(of.param)); });

}  // namespace
}  // namespace picket::buffer

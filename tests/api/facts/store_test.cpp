#include "api/facts/store.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace picket::facts {
namespace {

class FactStore : public ::testing::Test {
 protected:
  FactStore() {
    auto opened = buffer::Tables::open({.path = dir_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables_ = *std::move(opened);
  }

  void append(const FactRows& rows, const Selection& selection = {}) {
    const auto written =
        tables_->write([&](buffer::Batch& batch) { append_facts(batch, rows, selection); });
    ASSERT_TRUE(written) << written.error().detail;
  }

  // The sequences of all facts of a run, in the order of the blocks, oldest first; and block sizes.
  std::vector<std::uint64_t> scan(Dataset dataset, std::uint64_t project) {
    std::vector<std::uint64_t> found;
    sizes_.clear();
    std::vector<std::vector<std::uint64_t>> blocks;
    const auto snapshot = tables_->snapshot();
    for_each_block(snapshot, dataset, project, [&](const BlockView& block) {
      FactRows rows;
      EXPECT_TRUE(decode_block(block, dataset, project, rows));
      auto& sequences = blocks.emplace_back();
      for (std::size_t i = 0; i < rows.size(); ++i) sequences.push_back(rows.row(i).place.sequence);
      sizes_.push_back(block.rows());
      return true;
    });
    std::reverse(blocks.begin(), blocks.end());
    for (const auto& block : blocks) found.insert(found.end(), block.begin(), block.end());
    return found;
  }

  testing::TempDir dir_;
  std::unique_ptr<buffer::Tables> tables_;
  std::vector<std::size_t> sizes_;  // newest first
};

TEST_F(FactStore, ScansBackWhatWasAppendedWhateverTheBatches) {
  std::mt19937_64 random(11);
  std::uint64_t next = 1;
  std::map<std::pair<Dataset, std::uint64_t>, std::vector<std::uint64_t>> expected;
  for (int round = 0; round < 60; ++round) {
    FactRows rows;
    const auto count = random() % 3 == 0 ? random() % 200 : random() % 3;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto dataset = random() % 2 == 0 ? Dataset::spans : Dataset::logs;
      const auto project = 1 + random() % 2;
      rows.begin(dataset, project, {next, 0, 0}, static_cast<std::int64_t>(next * 1000));
      rows.text("k" + std::to_string(random() % 20), "v");
      expected[{dataset, project}].push_back(next++);
    }
    append(rows);
  }
  for (const auto& [run, sequences] : expected) {
    EXPECT_EQ(scan(run.first, run.second), sequences);
    EXPECT_LT(sizes_.size(), 30U);
  }
}

// Four of a size become one of the next: never more than three of each wait.
TEST_F(FactStore, MergesSmallBlocksAsCountersOfBaseFourDo) {
  for (std::uint64_t i = 1; i <= 150; ++i) {
    FactRows rows;
    rows.begin(Dataset::logs, 7, {i, 0, 0}, 0);
    append(rows);
    ASSERT_EQ(scan(Dataset::logs, 7).size(), i);
    std::size_t blocks = 0;
    for (auto left = i; left > 0; left /= 4) blocks += left % 4;
    ASSERT_EQ(sizes_.size(), blocks) << i;
  }
}

// Of batches of which no four fit, as many as do become one block.
TEST_F(FactStore, FillsBlocksAsFarAsBatchesFit) {
  std::uint64_t next = 1;
  for (const std::size_t count : {1500U, 1000U, 333U}) {
    FactRows rows;
    for (int batch = 0; batch < 12; ++batch) {
      rows.clear();
      for (std::size_t i = 0; i < count; ++i) rows.begin(Dataset::logs, count, {next++, 0, 0}, 0);
      append(rows);
    }
    EXPECT_EQ(scan(Dataset::logs, count).size(), 12 * count);
    EXPECT_LE(sizes_.size(), 12 / (block_rows / count) + 4) << count;
  }
}

TEST_F(FactStore, StartsABlockWhenOneIsFullOrHasTooManyColumns) {
  FactRows rows;
  for (unsigned i = 0; i < 5000; ++i) {
    rows.begin(Dataset::logs, 7, {i, 0, 0}, 0);
    rows.integer("n", i);
  }
  append(rows);
  EXPECT_EQ(scan(Dataset::logs, 7).size(), 5000U);
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{904, 4096}));
  rows.clear();
  for (unsigned i = 0; i < 5000; ++i) {
    rows.begin(Dataset::errors, 7, {i, 0, 0}, 0);
    rows.integer("n", i);
  }
  append(rows);
  EXPECT_EQ(scan(Dataset::errors, 7).size(), 5000U);
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{904, 1024, 1024, 1024, 1024})) << "errors are large";
  for (std::uint64_t next = 5000; next < 6000; next += 100) {
    rows.clear();
    for (std::uint64_t i = next; i < next + 100; ++i) rows.begin(Dataset::errors, 7, {i, 0, 0}, 0);
    append(rows);
  }
  EXPECT_EQ(scan(Dataset::errors, 7).size(), 6000U);
  EXPECT_LE(std::ranges::max(sizes_), 1024U);
  rows.clear();
  for (unsigned i = 0; i < 60; ++i) {
    rows.begin(Dataset::spans, 7, {i, 0, 0}, 0);
    for (int k = 0; k < 100; ++k) rows.integer(std::to_string(i) + "." + std::to_string(k), k);
  }
  append(rows);
  EXPECT_EQ(scan(Dataset::spans, 7).size(), 60U);
  EXPECT_EQ(sizes_.size(), 12U);
}

TEST_F(FactStore, LeavesOutFactsOfEventsThatAreNotKeptAndOfUnknownProjects) {
  FactRows rows;
  rows.begin(Dataset::spans, 7, {1, 0, 0}, 0, 0);
  rows.begin(Dataset::spans, 7, {2, 0, 0}, 0, 1);
  rows.begin(Dataset::spans, 7, {3, 0, 0}, 0);
  rows.begin(Dataset::spans, 8, {4, 0, 0}, 0);
  append(rows, {.kept = {false, true}, .issues = {}, .known_project = [](auto id) { return id == 7; }});
  EXPECT_EQ(scan(Dataset::spans, 7), (std::vector<std::uint64_t>{2, 3}));
  EXPECT_TRUE(scan(Dataset::spans, 8).empty());
}

TEST_F(FactStore, TrimsBlocksThatLieBeforeTheFloor) {
  for (const auto project : {7U, 8U}) {
    for (unsigned block = 0; block < 4; ++block) {
      FactRows rows;
      for (unsigned i = 0; i < 3000; ++i)
        rows.begin(Dataset::logs, project, {block * 3000 + i, 0, 0}, 0);
      append(rows);
    }
  }
  EXPECT_FALSE(anything_to_trim(tables_->snapshot(), 100));
  EXPECT_TRUE(anything_to_trim(tables_->snapshot(), 6000));
  TrimmedFacts trimmed;
  ASSERT_TRUE(tables_->write([&](buffer::Batch& batch) { trimmed = trim_facts(batch, 6500, 3); }));
  EXPECT_EQ(trimmed.blocks, 3U);
  EXPECT_FALSE(trimmed.done);
  ASSERT_TRUE(tables_->write([&](buffer::Batch& batch) { trimmed = trim_facts(batch, 6500, 3); }));
  EXPECT_EQ(trimmed.blocks, 1U);
  EXPECT_TRUE(trimmed.done);
  EXPECT_EQ(scan(Dataset::logs, 8).front(), 6000U);
  EXPECT_EQ(scan(Dataset::logs, 7).size(), 6000U);
}

}  // namespace
}  // namespace picket::facts

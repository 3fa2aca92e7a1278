#include "buffer/sequence_marks.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace picket::buffer {
namespace {

class SequenceMarksTest : public ::testing::Test {
 protected:
  SequenceMarksTest() { tables_ = *Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30}); }
  void apply(const MarkChanges& changes, Sequence journal_first = 0, const std::string& name = "hub") {
    ASSERT_TRUE(tables_->write([&](Batch& batch) { changes.apply(batch, name, journal_first); }));
  }
  std::set<Sequence> marked(Sequence first, Sequence end, Mark mark = Mark::not_sent, const std::string& name = "hub") const {
    const auto bits = read_marks(tables_->snapshot(), name, mark, first, end);
    EXPECT_EQ(bits.size(), end - first);
    std::set<Sequence> found;
    for (Sequence i = 0; i < bits.size(); ++i) {
      if (bits[i]) found.insert(first + i);
    }
    return found;
  }

  const testing::TempDir folder_;
  std::unique_ptr<Tables> tables_;
};

TEST_F(SequenceMarksTest, KeepsBitsAcrossRowsAndChanges) {
  MarkChanges changes;
  for (const Sequence sequence : {1U, 4'095U, 4'096U, 9'000U}) changes.set(Mark::not_sent, sequence);
  apply(changes);
  EXPECT_EQ(marked(0, 10'000), (std::set<Sequence>{1, 4'095, 4'096, 9'000}));
  EXPECT_EQ(marked(4'095, 4'097), (std::set<Sequence>{4'095, 4'096}));
  EXPECT_TRUE(marked(5'000, 5'010).empty());
  EXPECT_TRUE(marked(0, 10'000, Mark::resent).empty());
  EXPECT_TRUE(marked(0, 10'000, Mark::not_sent, "hu").empty());

  MarkChanges later;
  later.clear(Mark::not_sent, 4'096);
  later.set(Mark::not_sent, 2);
  later.set(Mark::not_sent, 3);
  later.clear(Mark::not_sent, 3);
  apply(later);
  EXPECT_EQ(marked(0, 10'000), (std::set<Sequence>{1, 2, 4'095, 9'000}));
}

TEST_F(SequenceMarksTest, LosesRowsThatAreEmptyOrThatTheJournalHasForgotten) {
  MarkChanges changes;
  for (Sequence sequence = 0; sequence < 10 * marks_in_row; sequence += marks_in_row) changes.set(Mark::not_sent, sequence);
  apply(changes);
  MarkChanges clears;
  clears.clear(Mark::not_sent, 0);
  apply(clears);
  EXPECT_EQ(marked(0, 10 * marks_in_row).size(), 9U);
  apply(MarkChanges(), 3 * marks_in_row + 5);
  EXPECT_EQ(*marked(0, 10 * marks_in_row).begin(), 3 * marks_in_row);
  bool none_left = false;
  ASSERT_TRUE(tables_->write([&](Batch& batch) { none_left = remove_marks(batch, "hub", Mark::not_sent, 5); }));
  EXPECT_FALSE(none_left);
  ASSERT_TRUE(tables_->write([&](Batch& batch) { none_left = remove_marks(batch, "hub", Mark::not_sent, 5); }));
  EXPECT_TRUE(none_left);
  EXPECT_TRUE(marked(0, 10 * marks_in_row).empty());
}

}  // namespace
}  // namespace picket::buffer

#include "buffer/stamp.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace picket::buffer {
namespace {

schema::Stamp stamp(std::int64_t ms, std::string origin) {
  schema::Stamp made;
  made.set_ms(ms);
  made.set_origin(std::move(origin));
  return made;
}

TEST(Stamp, OfTheLaterClockWinsThenOfTheGreaterOrigin) {
  EXPECT_TRUE(later(stamp(2, "a"), stamp(1, "b")));
  EXPECT_FALSE(later(stamp(1, "b"), stamp(2, "a")));
  EXPECT_TRUE(later(stamp(1, "b"), stamp(1, "a")));
  EXPECT_FALSE(later(stamp(1, "a"), stamp(1, "a")));
}

TEST(Stamp, OfAChangeIsLaterThanWhatItReplacesWhateverTheClockSays) {
  const auto theirs = stamp(5'000, "z");
  EXPECT_TRUE(later(next_stamp(theirs, 1'000, "a"), theirs));
  EXPECT_EQ(next_stamp(theirs, 9'000, "a").ms(), 9'000);
}

TEST(Stamp, OfARowWithoutOneIsWhatItsTimesSay) {
  schema::Issue issue;
  EXPECT_EQ(stamp_of(issue, IssuePart::status).ms(), 0);
  issue.set_resolved_ms(7);
  issue.set_assigned_ms(8);
  issue.set_priority_locked_ms(9);
  EXPECT_EQ(stamp_of(issue, IssuePart::status).ms(), 7);
  EXPECT_EQ(stamp_of(issue, IssuePart::assignee).ms(), 8);
  EXPECT_EQ(stamp_of(issue, IssuePart::priority).ms(), 9);
  // An older version resolved it again after the stamp was made.
  set_stamp(issue, IssuePart::status, stamp(5, "a"));
  EXPECT_EQ(stamp_of(issue, IssuePart::status).ms(), 7);
  set_stamp(issue, IssuePart::status, stamp(7, "a"));
  EXPECT_EQ(stamp_of(issue, IssuePart::status).origin(), "a");
}

TEST(Stamp, TravelsInAHeader) {
  auto sent = stamp(1'700'000'000'123, "0123456789abcdef");
  sent.set_automatic(true);
  sent.set_name("edge 7\r\nX-Evil: 1\xff");
  const auto text = render_stamp(sent);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  const auto read = parse_stamp(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ms(), sent.ms());
  EXPECT_EQ(read->origin(), sent.origin());
  EXPECT_TRUE(read->automatic());
  EXPECT_EQ(read->name(), "edge 7??X-Evil: 1?");
}

TEST(Stamp, ThatIsNoneIsNotRead) {
  for (const char* const bad : {"", "x", "1", "1 a", "1 a 2", "-1 a 0", "0 a 0", "1x a 0", "99999999999999999999 a 0",
                                "9999999999999999 a 0", "1  0", "1 \xc3\xa9 0"}) {
    EXPECT_FALSE(parse_stamp(bad)) << bad;
  }
  EXPECT_TRUE(parse_stamp("1 a 0"));
  EXPECT_TRUE(parse_stamp("1 a 0 "));
}

class StampRows : public ::testing::Test {
 protected:
  StampRows() {
    auto opened = Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables_ = *std::move(opened);
  }
  const testing::TempDir folder_;
  std::unique_ptr<Tables> tables_;
};

TEST_F(StampRows, TheInstanceIsDrawnOnce) {
  EXPECT_EQ(find_instance(tables_->snapshot()), "");
  std::string first;
  ASSERT_TRUE(tables_->write([&](Batch& batch) { first = instance_of(batch); }));
  EXPECT_EQ(first.size(), 16U);
  ASSERT_TRUE(tables_->write([&](Batch& batch) { EXPECT_EQ(instance_of(batch), first); }));
  EXPECT_EQ(find_instance(tables_->snapshot()), first);
}

TEST_F(StampRows, AnIssueIsEnteredByItsLastChangeOnly) {
  schema::Issue one;
  one.set_id(7);
  schema::Issue other;
  other.set_id(8);
  ASSERT_TRUE(tables_->write([&](Batch& batch) {
    note_changed(batch, one);
    note_changed(batch, other);
    note_changed(batch, one);
  }));
  const auto snapshot = tables_->snapshot();
  EXPECT_EQ(snapshot.entries(Table::issue_changes), 2U);
  auto cursor = snapshot.cursor(Table::issue_changes);
  ASSERT_TRUE(cursor.first());
  EXPECT_EQ(KeyReader(cursor.value()).u64(), 8U);
  ASSERT_TRUE(cursor.next());
  EXPECT_EQ(KeyReader(cursor.value()).u64(), 7U);
  EXPECT_EQ(KeyReader(cursor.key()).u64(), one.change());
}

}  // namespace
}  // namespace picket::buffer

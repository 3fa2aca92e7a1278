#include "buffer/moved.h"

#include "buffer/journal_support.h"
#include "buffer/keys.h"
#include "buffer/retention.h"
#include "buffer/rows.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace picket::buffer {
namespace {

using testing::append_each;
using testing::FakeClock;
using testing::open_journal;
using testing::small_options;
using testing::TempDir;

class MovedTest : public ::testing::Test {
 protected:
  MovedTest() {
    auto opened = Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables_ = *std::move(opened);
    set_cursor("digest", 100);
  }
  void write(const std::function<void(Batch&)>& change) { ASSERT_TRUE(tables_->write(change)); }
  void set_cursor(const std::string& name, Sequence next) {
    write([&](Batch& batch) {
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      put_row(batch, Table::cursors, name, cursor);
    });
  }
  void set(const std::string& name, bool forward_only, Sequence next, const std::function<void(schema::Destination&)>& change = {}) {
    write([&](Batch& batch) {
      schema::Destination row;
      row.set_name(name);
      row.set_forward_only(forward_only);
      if (change) change(row);
      put_row(batch, Table::destinations, name, row);
    });
    if (next != 0) set_cursor("upstream/" + name, next);
  }
  bool moved(Sequence first = 10, Sequence last = 20) const { return is_moved(tables_->snapshot(), first, last); }
  static std::function<void(schema::Destination&)> unwanted(Sequence first, Sequence last) {
    return [=](schema::Destination& row) {
      row.add_unwanted(first);
      row.add_unwanted(last);
    };
  }

  const TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<Tables> tables_;
};

TEST_F(MovedTest, NothingIsMovedWhereEveryDestinationMirrors) {
  EXPECT_FALSE(moved());
  set("a", false, 100);
  EXPECT_FALSE(moved());
}

TEST_F(MovedTest, IsMovedOnceEveryConsumerHasPassed) {
  set("a", true, 20);
  EXPECT_FALSE(moved());  // 20 itself is still to come
  set("a", true, 21);
  EXPECT_TRUE(moved());
  set_cursor("digest", 20);
  EXPECT_FALSE(moved());
  set_cursor("digest", 21);
  set("b", false, 15);
  EXPECT_FALSE(moved());
  set("b", false, 21);
  EXPECT_TRUE(moved());
}

TEST_F(MovedTest, WhatWaitsOrIsInQuarantineAnywhereStays) {
  set("a", true, 100);
  set("b", false, 100, [](schema::Destination& row) { row.add_deferred(12); });
  EXPECT_FALSE(moved());
  EXPECT_TRUE(moved(13, 20));
  set("b", false, 100);
  write([](Batch& batch) {
    schema::Quarantined row;
    row.set_sequence(15);
    put_row(batch, Table::quarantine, Key().text("b").u64(15), row);
  });
  EXPECT_FALSE(moved());
  EXPECT_TRUE(moved(16, 20));
  EXPECT_TRUE(moved(10, 14));
}

TEST_F(MovedTest, WhatADestinationWasNotToHaveStaysUnlessAnotherHasIt) {
  set("a", true, 100, unwanted(11, 12));
  EXPECT_FALSE(moved());
  EXPECT_TRUE(moved(13, 20));
  set("b", true, 100, unwanted(13, 20));
  EXPECT_TRUE(moved());
  set("b", true, 100, unwanted(12, 20));
  EXPECT_FALSE(moved());
  set("b", false, 100);  // a mirror has it, but did not move it
  EXPECT_FALSE(moved());
}

TEST_F(MovedTest, InDoubtItStays) {
  set("a", true, 100);
  set("new", false, 0);  // has not started yet
  EXPECT_FALSE(moved());
  set("new", false, 0, [](schema::Destination& row) { row.set_retired_ms(1); });
  EXPECT_TRUE(moved());
  set("a", true, 100, [](schema::Destination& row) { row.set_retired_ms(1); });
  EXPECT_FALSE(moved());
}

TEST_F(MovedTest, RetentionRecyclesWhatWasMovedAndNoMore) {
  auto options = small_options(folder_ / "journal");
  options.max_bytes = std::uint64_t{1} << 20;
  const auto journal = open_journal(options, clock_);
  append_each(*journal, 1, 40, 10'000);
  const auto segments = journal->segments();
  ASSERT_GE(segments.size(), 3U);
  Retention retention(*tables_, *journal, clock_, StorageConfig());
  set("a", true, segments[1].first);
  ASSERT_TRUE(retention.run_once());
  EXPECT_EQ(journal->use().first, segments[1].first);
  set("a", true, segments[2].last + 1, unwanted(segments[1].first, segments[1].first));
  ASSERT_TRUE(retention.run_once());
  EXPECT_EQ(journal->use().first, segments[1].first);
  EXPECT_EQ(read_journal_floor(*tables_), segments[1].first);
}

}  // namespace
}  // namespace picket::buffer

// What the digest does when the tables fail it.
#include "api/digest/digest_fixture.h"

#include <set>
#include <stdexcept>
#include <thread>

namespace picket::digest {
namespace {

// Throws at chosen calls: stands for any exception while a batch is written.
class ThrowingClock final : public Clock {
 public:
  explicit ThrowingClock(std::set<int> at) : at_(std::move(at)) {}
  Time now() const override {
    if (at_.contains(++calls_)) throw std::runtime_error("poison");
    return time_from_ms(1'700'000'000'000);
  }

 private:
  const std::set<int> at_;
  mutable int calls_ = 0;
};

class DigestFaults : public DigestTest {
 protected:
  void shrink_tables(std::uint64_t map_bytes) {
    tables.reset();
    auto opened = buffer::Tables::open({.path = folder / "tables.mdb", .map_bytes = map_bytes});
    ASSERT_TRUE(opened) << opened.error().detail;
    tables = *std::move(opened);
  }
};

TEST_F(DigestFaults, AFullDiskLosesNothing) {
  for (int i = 0; i < 1000; ++i) {
    const auto n = std::to_string(i);
    receive_event(R"(,"message":"m","fingerprint":[")" + n + R"("],"tags":{"n":")" + n + "\"}");
  }
  shrink_tables(std::uint64_t{512} << 10);
  {
    Digest digest(journal, *tables, clock, {});
    const auto failed = digest.run_once();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().fault, Fault::unavailable);
    EXPECT_FALSE(digest.counters().last_error.empty());
    EXPECT_EQ(digest.counters().failed_writes, 1U);
    EXPECT_EQ(digest.counters().events, 0U);
  }
  EXPECT_EQ(rows(buffer::Table::events), 0U);
  shrink_tables(std::uint64_t{1} << 30);
  digest_all();
  EXPECT_EQ(issues().size(), 1000U);
  EXPECT_EQ(rows(buffer::Table::events), 1000U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 1000}}));
}

TEST_F(DigestFaults, ItLeavesTheLastOfTheDiskToDeletesAndCursors) {
  receive_event(R"(,"message":"old")");
  digest_all();
  receive_event(R"(,"message":"m")");
  std::uint64_t free = 0;
  tables.reset();
  tables = *buffer::Tables::open({.path = folder / "tables.mdb",
                                  .map_bytes = std::uint64_t{1} << 30,
                                  .least_free_bytes = 1000,
                                  .disk_free = [&free] { return free; }});
  Digest digest(journal, *tables, clock, {});
  const auto waits = digest.run_once();
  ASSERT_FALSE(waits);
  EXPECT_EQ(waits.error().fault, Fault::unavailable);
  EXPECT_EQ(rows(buffer::Table::events), 1U);
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) { batch.put(buffer::Table::meta, "journal_floor", buffer::Key().u64(2)); }));
  EXPECT_FALSE(digest.run_once());
  EXPECT_EQ(rows(buffer::Table::events), 0U) << "what the journal let go of is removed all the same";
  free = 1000;
  EXPECT_EQ(*digest.run_once(), 1U);
  EXPECT_EQ(rows(buffer::Table::events), 1U);
}

TEST_F(DigestFaults, ARecordThatCannotBeWrittenIsCountedAndPassedOver) {
  const auto first = receive_event(R"(,"message":"first")");
  receive_event(R"(,"message":"poisonous")");
  receive_event(R"(,"message":"last")");
  // The batch; then, one by one: the first, the second (again as skipped), the third.
  const ThrowingClock poisoned({1, 3});
  Digest digest(journal, *tables, poisoned, {});
  ASSERT_TRUE(digest.run_once());
  ASSERT_EQ(issues().size(), 2U);
  EXPECT_EQ(issues().front().title(), "first");
  EXPECT_EQ(issues().back().title(), "last");
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"error accepted", 2},
                                                              {"unknown invalid/internal", 1}}));
  EXPECT_EQ(digest.counters().next, 4U);
  EXPECT_EQ(*digest.run_once(), 0U);
}

TEST_F(DigestFaults, WritingABatchAgainOneByOneCountsNothingTwice) {
  for (int i = 0; i < 5; ++i)
    receive_event(R"(,"message":"m")");
  journal.damage(3);
  const ThrowingClock poisoned({2});  // the first call is the damaged record's
  Digest digest(journal, *tables, poisoned, {});
  ASSERT_TRUE(digest.run_once());
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 4U);
  EXPECT_EQ(outcomes(0), (std::map<std::string, std::uint64_t>{{"unknown invalid/corrupt", 1}}));
  EXPECT_EQ(digest.counters().next, 6U);
}

TEST_F(DigestFaults, WhatIsLostIsCountedOnceWhenABatchIsWrittenOneByOne) {
  for (int i = 0; i < 6; ++i)
    receive_event(R"(,"message":"m")");
  journal.lose(2);
  journal.lose(6);
  const ThrowingClock poisoned({2});  // the first call is for what is lost
  Digest digest(journal, *tables, poisoned, {});
  ASSERT_TRUE(digest.run_once());
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 4U);
  EXPECT_EQ(outcomes(0), (std::map<std::string, std::uint64_t>{{"unknown invalid/lost", 2}}));
  EXPECT_EQ(digest.counters().next, 7U);
}

TEST_F(DigestFaults, ABatchOfManyReadsIsWrittenOneByOneAsWell) {
  for (int i = 0; i < 6; ++i)
    receive_event(i == 4 ? R"(,"message":"poisonous")" : R"(,"message":"m")");
  journal.damage(2);
  // The damaged record; the batch; then, one by one: the first, the damaged one twice, the third, the fourth, the fifth.
  const ThrowingClock poisoned({2, 8});
  Digest digest(journal, *tables, poisoned, {.batch_bytes = 1});
  EXPECT_EQ(*digest.run_once(), 6U);
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 4U);
  EXPECT_EQ(outcomes()["unknown invalid/internal"], 1U);
  EXPECT_EQ(outcomes(0), (std::map<std::string, std::uint64_t>{{"unknown invalid/corrupt", 1}}));
  EXPECT_EQ(digest.counters().next, 7U);
  EXPECT_EQ(*digest.run_once(), 0U);
}

TEST_F(DigestFaults, RecordsThatWereRecycledFirstDoNotStopIt) {
  for (int i = 0; i < 5; ++i)
    receive_event(R"(,"message":"m")");
  ASSERT_TRUE(journal.recycle_before(4));
  digest_all();
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 2U);
}

}  // namespace
}  // namespace picket::digest

#include "api/query/ledger.h"

#include "api/digest/digest_fixture.h"

namespace picket::query {
namespace {

using relay::DataCategory;

class LedgerTest : public digest::DigestTest {
 protected:
  // As intake keeps it: with what it counted.
  void receive_counted(std::uint64_t project, std::vector<std::pair<DataCategory, std::uint64_t>> items) {
    buffer::Record record;
    record.received = clock.now();
    record.project = project;
    record.key = std::string(16, 'k');
    schema::IntakeMeta meta;
    for (const auto& [category, quantity] : items) {
      meta.add_item_counts(static_cast<std::uint64_t>(category));
      meta.add_item_counts(quantity);
    }
    record.meta = meta.SerializeAsString();
    record.body = digest::envelope("");
    receive(std::move(record));
  }

  void receive_drops(relay::Outcome outcome, std::uint64_t quantity) {
    schema::OutcomeCounts counts;
    auto& count = *counts.add_counts();
    count.set_project(digest::test_project);
    count.set_category(static_cast<std::uint32_t>(DataCategory::error));
    count.set_outcome(static_cast<std::uint32_t>(outcome));
    count.set_reason("any");
    count.set_quantity(quantity);
    count.set_hour_ms(to_ms(clock.now()));
    buffer::Record record;
    record.kind = buffer::RecordKind::outcomes;
    record.received = clock.now();
    record.body = counts.SerializeAsString();
    receive(std::move(record));
  }

  // A destination that has read up to before `next`.
  void add_destination(buffer::Sequence next, std::vector<buffer::Sequence> deferred = {}) {
    const auto written = tables->write([&](buffer::Batch& batch) {
      schema::Destination row;
      row.set_name("hub");
      for (const auto sequence : deferred) row.add_deferred(sequence);
      buffer::put_row(batch, buffer::Table::destinations, "hub", row);
      schema::Cursor cursor;
      cursor.set_next_sequence(next);
      buffer::put_row(batch, buffer::Table::cursors, "upstream/hub", cursor);
    });
    ASSERT_TRUE(written);
  }

  void add_fate(std::uint8_t fate, DataCategory category, std::uint64_t quantity) {
    const auto written = tables->write([&](buffer::Batch& batch) {
      schema::Count row;
      row.set_quantity(quantity);
      const auto hour = static_cast<std::uint64_t>(digest::hour_of(clock.now()));
      const auto key = buffer::Key().text("hub").u64(digest::test_project).u64(hour).u8(static_cast<std::uint8_t>(category)).u8(fate);
      buffer::put_row(batch, buffer::Table::forwarding, key, row);
    });
    ASSERT_TRUE(written);
  }

  LedgerReport collect(LedgerRequest request = {.projects = {}, .by = {.category = true}}) const {
    return collect_ledger(tables->snapshot(), journal, request);
  }
};

const LedgerLine* line_of(const LedgerReport& report, DataCategory category) {
  for (const auto& line : report.lines) {
    if (line.category == category) return &line;
  }
  return nullptr;
}

TEST_F(LedgerTest, CountsWhatIsStoredAndWhatIntakeDropped) {
  receive_counted(digest::test_project, {{DataCategory::error, 1}, {DataCategory::attachment, 2}});
  receive_drops(relay::Outcome::filtered, 3);
  receive_drops(relay::Outcome::rate_limited, 4);
  receive_drops(relay::Outcome::invalid, 5);
  receive_drops(relay::Outcome::client_discard, 6);
  digest_all();
  const auto report = collect();
  const auto* errors = line_of(report, DataCategory::error);
  ASSERT_NE(errors, nullptr);
  EXPECT_EQ(errors->stored, 1U);
  EXPECT_EQ(errors->filtered, 3U);
  EXPECT_EQ(errors->rate_limited, 4U);
  EXPECT_EQ(errors->invalid, 5U);
  EXPECT_EQ(errors->client_discarded, 6U);
  EXPECT_EQ(errors->received(), 13U);
  EXPECT_EQ(line_of(report, DataCategory::attachment)->stored, 2U);
}

TEST_F(LedgerTest, CountsItemsOfRecordsThatIntakeDidNotCount) {
  receive_event("");
  receive(digest::envelope(digest::item("check_in", "{}")));
  receive("no envelope");
  digest_all();
  const auto report = collect();
  EXPECT_EQ(line_of(report, DataCategory::error)->stored, 1U);
  EXPECT_EQ(line_of(report, DataCategory::monitor)->stored, 1U);
  EXPECT_EQ(line_of(report, DataCategory::unknown)->stored, 1U);
}

TEST_F(LedgerTest, AcceptedIsWhatSomethingCouldBeMadeOf) {
  const auto id = receive_event("");
  receive(digest::envelope(digest::item("event", "{}"), id));
  receive(digest::envelope(digest::item("event", R"({"type":"default","message":"x"})") + digest::item("attachment", "bytes"),
                           digest::id_text(77)));
  receive(digest::envelope(digest::item("check_in", R"({"monitor_slug":"nobody","status":"ok"})")));
  receive(digest::envelope(digest::item("statsd", "a:1|c") + digest::item("nobody_knows", "x")));
  receive(digest::envelope(digest::item("log", R"({"items":[{"body":"a"},{"body":"b"}]})",
                                        R"(,"item_count":2,"content_type":"application/vnd.sentry.items.log+json")")));
  digest_all();
  const auto report = collect();
  const auto is = [&](DataCategory category, std::uint64_t stored, std::uint64_t accepted) {
    const auto* line = line_of(report, category);
    ASSERT_NE(line, nullptr) << wire_name(category);
    EXPECT_EQ(line->stored, stored) << wire_name(category);
    EXPECT_EQ(line->accepted, accepted) << wire_name(category);
  };
  is(DataCategory::error, 3, 2);
  is(DataCategory::attachment, 1, 1);
  is(DataCategory::monitor, 1, 0);
  is(DataCategory::metric_bucket, 1, 1);
  is(DataCategory::log_item, 2, 2);
  is(DataCategory::unknown, 1, 1);
  EXPECT_EQ(report.lines.size(), 6U) << "bytes have no line of their own";
}

TEST_F(LedgerTest, ADuplicateIsStoredTwiceAndForwardedTwice) {
  const auto id = receive_event("");
  receive(digest::envelope(digest::item("event", "{}"), id));
  digest_all();
  EXPECT_EQ(line_of(collect(), DataCategory::error)->stored, 2U);
}

TEST_F(LedgerTest, BalancesWithWhatWaitsInTheJournal) {
  for (int i = 0; i < 6; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}});
  digest_all();
  add_destination(5, {2});
  add_fate(1, DataCategory::error, 2);
  add_fate(2, DataCategory::error, 1);
  const auto report = collect();
  const auto& onward = line_of(report, DataCategory::error)->destinations.at("hub");
  EXPECT_EQ(onward.forwarded, 2U);
  EXPECT_EQ(onward.quarantined, 1U);
  EXPECT_EQ(onward.waiting, 3U);
  EXPECT_FALSE(report.waiting_is_rest);
  EXPECT_TRUE(check_ledger(report).empty());
}

TEST_F(LedgerTest, SaysWhatDoesNotBalance) {
  for (int i = 0; i < 6; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}});
  digest_all();
  add_destination(5);
  add_fate(1, DataCategory::error, 3);  // one of the four that were passed is nowhere
  const auto wrong = check_ledger(collect());
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_EQ(wrong[0], "hub: error, stored 6 is not forwarded 3 + waiting 2 + quarantined 0 + expired 0 + not routed 0 + not sampled 0");
}

TEST_F(LedgerTest, WhatTheJournalRecycledUnreadHasExpired) {
  for (int i = 0; i < 6; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}, {DataCategory::attachment, 2}});
  receive_drops(relay::Outcome::filtered, 3);  // has a number of its own
  digest_all();
  add_destination(2);
  add_fate(1, DataCategory::error, 1);
  add_fate(1, DataCategory::attachment, 2);
  ASSERT_TRUE(journal.recycle_before(5));
  const auto expect_three_expired = [&](std::uint64_t waiting) {
    for (const auto& by : {LedgerGrouping{.category = true}, LedgerGrouping{.hour = true, .project = true, .category = true}}) {
      const auto report = collect({.projects = {}, .by = by});
      EXPECT_EQ(report.lines.size(), 2U) << "none of its own for what was recycled";
      const auto& errors = line_of(report, DataCategory::error)->destinations.at("hub");
      EXPECT_EQ(errors.expired, 3U);
      EXPECT_EQ(errors.waiting, waiting);
      EXPECT_EQ(line_of(report, DataCategory::attachment)->destinations.at("hub").expired, 6U);
      EXPECT_TRUE(check_ledger(report).empty());
    }
    EXPECT_TRUE(check_ledger(collect({.projects = {}, .by = {}})).empty());
  };
  expect_three_expired(2);  // as soon as the journal has let go of them
  add_destination(8);       // and once the forwarder has come by
  add_fate(1, DataCategory::error, 3);
  add_fate(1, DataCategory::attachment, 6);
  const auto written = tables->write([&](buffer::Batch& batch) {
    schema::Count row;
    row.set_quantity(3);
    const auto hour = static_cast<std::uint64_t>(digest::hour_of(clock.now()));
    buffer::put_row(batch, buffer::Table::forwarding, buffer::Key().text("hub").u64(0).u64(hour).u8(255).u8(3), row);
  });
  ASSERT_TRUE(written);
  expect_three_expired(0);
}

TEST_F(LedgerTest, WhatIsMissingOfHoursThatTheJournalHoldsHasNotExpired) {
  receive_counted(digest::test_project, {{DataCategory::error, 1}});
  clock.advance(std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}});
  clock.advance(std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}});
  digest_all();
  add_destination(8);
  add_fate(1, DataCategory::error, 1);  // in the last hour, of three
  ASSERT_TRUE(journal.recycle_before(3));
  const auto report = collect({.projects = {}, .by = {.hour = true}});
  ASSERT_EQ(report.lines.size(), 3U);
  EXPECT_EQ(report.lines[0].destinations.at("hub").expired, 1U);
  EXPECT_EQ(report.lines[1].destinations.at("hub").expired, 3U) << "some of that hour is gone";
  EXPECT_EQ(report.lines[2].destinations.at("hub").expired, 0U);
  EXPECT_EQ(check_ledger(report).size(), 1U);
  EXPECT_EQ(check_ledger(collect()).size(), 1U) << "also where hours are not told apart";
}

TEST_F(LedgerTest, WhatWasThereBeforeADestinationThatBeginsWithTheNextIsNotForIt) {
  for (int i = 0; i < 4; ++i) receive_counted(digest::test_project, {{DataCategory::error, 1}});
  digest_all();
  add_destination(4);
  const auto written = tables->write([&](buffer::Batch& batch) {
    auto row = *buffer::find_row<schema::Destination>(batch, buffer::Table::destinations, "hub");
    row.set_started(4);
    buffer::put_row(batch, buffer::Table::destinations, "hub", row);
  });
  ASSERT_TRUE(written);
  const auto report = collect();
  const auto& onward = line_of(report, DataCategory::error)->destinations.at("hub");
  EXPECT_EQ(onward.not_routed, 3U);
  EXPECT_EQ(onward.waiting, 1U);
  EXPECT_TRUE(check_ledger(report).empty());
}

TEST_F(LedgerTest, TellsProjectsHoursAndKeysApartWhenAsked) {
  add_project(8, "other");
  receive_counted(digest::test_project, {{DataCategory::error, 1}});
  clock.advance(std::chrono::hours(2));
  receive_counted(8, {{DataCategory::error, 1}});
  digest_all();
  EXPECT_EQ(collect({.projects = {}, .by = {}}).lines.size(), 1U);
  EXPECT_EQ(collect({.projects = {}, .by = {.hour = true}}).lines.size(), 2U);
  EXPECT_EQ(collect({.projects = {}, .by = {.project = true}}).lines.size(), 2U);
  const auto by_key = collect({.projects = {}, .by = {.key = true}});
  ASSERT_EQ(by_key.lines.size(), 1U);
  EXPECT_EQ(by_key.lines[0].key, std::string(16, 'k'));
  EXPECT_EQ(collect({.projects = {8}, .by = {.project = true}}).lines.size(), 1U);
  const auto recent = collect({.projects = {}, .from_ms = digest::hour_of(clock.now()), .by = {.project = true}});
  ASSERT_EQ(recent.lines.size(), 1U);
  EXPECT_EQ(recent.lines[0].project, 8U);
}

TEST_F(LedgerTest, SaysHowFarTheDigestIsBehind) {
  receive_counted(digest::test_project, {{DataCategory::error, 1}});
  EXPECT_EQ(collect().undigested, 1U);
  digest_all();
  EXPECT_EQ(collect().undigested, 0U);
}

}  // namespace
}  // namespace picket::query

// What the digest promises whatever comes: exactly once, nothing uncounted, never stopped.
#include "api/digest/digest.h"
#include "api/digest/digest_fixture.h"
#include "relay/protocol/content_encoding.h"

#include <optional>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class DigestPromises : public DigestTest {
 protected:
  // Events of several kinds, some damaged, some twice.
  void receive_mixture(int count) {
    for (int i = 0; i < count; ++i) {
      const auto n = std::to_string(i % 7);
      receive_event(R"(,"message":"kind )" + std::string(1, static_cast<char>('a' + i % 5)) +
                    R"(","release":")" + n + R"(","user":{"id":")" + n + R"("},"tags":{"n":")" + n +
                    "\"}");
      if (i % 11 == 0)
        receive(
            envelope(item("event", "{broken"), id_text(1'000'000 + static_cast<std::uint64_t>(i))));
      if (i % 13 == 0) receive(envelope(item("event", R"({"message":"again"})"), id_text(1)));
      clock.advance(Duration(60'000));
    }
  }

  // The cursor says when it was written; everything else must not depend on when that was.
  static void forget_times(std::map<std::pair<int, std::string>, std::string>& all) {
    for (auto& [key, value] : all) {
      if (key.first != static_cast<int>(Table::cursors)) continue;
      auto cursor = buffer::parse_row<schema::Cursor>(value);
      cursor.clear_updated_ms();
      value = cursor.SerializeAsString();
    }
  }
};

TEST_F(DigestPromises, GiveTheSameTablesWhateverTheBatchSize) {
  receive_mixture(60);
  digest_all({.batch_records = 1});
  auto one_by_one = everything();
  forget_times(one_by_one);
  const std::string secret(tables->snapshot().get(Table::meta, "event_id_secret").value_or(""));
  tables.reset();
  tables = open_tables(folder / "again.mdb");
  add_project(test_project, "shop");
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { batch.put(Table::meta, "event_id_secret", secret); }));
  digest_all({.batch_records = 4000});
  auto at_once = everything();
  forget_times(at_once);
  EXPECT_EQ(one_by_one, at_once);
}

TEST_F(DigestPromises, LargeBodiesMakeNoSmallBatches) {
  receive_mixture(30);
  Digest digest(journal, *tables, clock, {.batch_bytes = 1});
  EXPECT_EQ(*digest.run_once(), journal.use().next - 1);
  EXPECT_EQ(digest.counters().batches, 1U);
}

TEST_F(DigestPromises, ABatchOfLargeBodiesIsBounded) {
  constexpr std::size_t body = std::size_t{1} << 20;
  constexpr int count = 40;
  for (int i = 0; i < count; ++i)
    receive(envelope(item("attachment", std::string(body, 'a'), R"(,"filename":"a.bin")"), id_text(static_cast<std::uint64_t>(i))));
  Digest digest(journal, *tables, clock, {});
  EXPECT_EQ(*digest.run_once(), 32U);
  EXPECT_EQ(*digest.run_once(), count - 32U);
  EXPECT_EQ(rows(Table::attachments), static_cast<std::uint64_t>(count));
}

TEST_F(DigestPromises, ACrashBetweenBatchesLosesAndRepeatsNothing) {
  receive_mixture(40);
  Digest first(journal, *tables, clock, {.batch_records = 10});
  ASSERT_TRUE(first.run_once());
  ASSERT_TRUE(first.run_once());
  ASSERT_TRUE(tables->copy_to(folder / "crashed.mdb"));
  digest_all();
  auto straight_on = everything();
  forget_times(straight_on);

  tables.reset();
  tables = open_tables(folder / "crashed.mdb");
  digest_all();
  auto after_the_crash = everything();
  forget_times(after_the_crash);
  EXPECT_EQ(straight_on, after_the_crash);
}

TEST_F(DigestPromises, DigestingAgainChangesNothing) {
  receive_mixture(20);
  digest_all();
  const auto once = everything();
  digest_all();
  EXPECT_EQ(once, everything());
}

TEST_F(DigestPromises, ReadingOldRecordsAgainFindsOnlyDuplicates) {
  receive_mixture(20);
  digest_all();
  const auto accepted = outcomes()["error accepted"];
  const auto issue = issues().front().id();
  const auto seen = counters_of(issue).times_seen();
  ASSERT_TRUE(
      tables->write([](buffer::Batch& batch) { batch.remove(Table::cursors, digest_consumer); }));
  digest_all();
  EXPECT_EQ(outcomes()["error accepted"], accepted);
  EXPECT_EQ(counters_of(issue).times_seen(), seen);
}

TEST_F(DigestPromises, EveryItemIsCountedOnce) {
  receive(envelope(item("event", R"({"message":"a"})") + item("session", "{}"), id_text(1)));
  receive(envelope(item("event", R"({"message":"a"})"), id_text(1)));
  receive(envelope(item("event", "not json"), id_text(2)));
  receive(envelope(item("transaction", "[1,2]"), id_text(3)));
  receive(envelope(item("event", R"({"csp":{"effective_directive":"img-src"}})"), id_text(4)));
  receive(envelope("", id_text(5)));
  digest_all();
  EXPECT_EQ(outcomes(),
            (std::map<std::string, std::uint64_t>{{"error accepted", 1},
                                                  {"error invalid/duplicate", 1},
                                                  {"error invalid/invalid_json", 1},
                                                  {"security accepted", 1},
                                                  {"session invalid/invalid_json", 1},
                                                  {"transaction invalid/invalid_json", 1}}));
}

TEST_F(DigestPromises, CountsFallIntoTheHourOfReceipt) {
  clock.set(time_from_ms(1'700'000'000'000 / 3'600'000 * 3'600'000 + 3'599'999));
  receive_event(R"(,"message":"m")");
  clock.advance(Duration(1));
  receive_event(R"(,"message":"m")");
  digest_all();
  ASSERT_EQ(rows(Table::outcomes), 2U);
  const auto found = counters_of(only_issue().id());
  ASSERT_EQ(found.hours_size(), 2);
  EXPECT_EQ(found.hours(0), 1U);
  EXPECT_EQ(found.hours(1), 1U);
}

TEST_F(DigestPromises, CountsWhatIntakeDropped) {
  schema::OutcomeCounts counts;
  auto& count = *counts.add_counts();
  count.set_project(test_project);
  count.set_key(std::string(16, 'k'));
  count.set_category(static_cast<std::uint32_t>(relay::DataCategory::transaction));
  count.set_outcome(static_cast<std::uint32_t>(relay::Outcome::rate_limited));
  count.set_reason("quota");
  count.set_quantity(12);
  count.set_hour_ms(1'699'999'200'000);
  counts.add_counts()->set_outcome(99);
  for (int i = 0; i < 2; ++i) {
    buffer::Record record;
    record.kind = buffer::RecordKind::outcomes;
    record.received = clock.now();
    record.body = counts.SerializeAsString();
    receive(std::move(record));
  }
  digest_all();
  EXPECT_EQ(outcomes(),
            (std::map<std::string, std::uint64_t>{{"transaction rate_limited/quota", 24}}));
}

TEST_F(DigestPromises, CountsWhatSdksSayTheyDropped) {
  receive(envelope(item("client_report", R"({"timestamp":1,"discarded_events":[
    {"reason":"queue_overflow","category":"error","quantity":3},
    {"reason":"queue_overflow","category":"error","quantity":2},
    {"reason":"we\u0000ird\n","category":"span","quantity":"4"},
    {"reason":"x","category":"no_such","quantity":1},
    {"reason":"negative","category":"error","quantity":-4},
    {"reason":"huge","category":"error","quantity":1e18},
    null,7,{}],
    "rate_limited_events":[{"reason":"q","category":"error","quantity":5}],
    "filtered_events":{"reason":"f","category":"error","quantity":6}})")));
  receive(envelope(item("client_report", "nonsense")));
  digest_all();
  EXPECT_EQ(outcomes(),
            (std::map<std::string, std::uint64_t>{{"client_report accepted", 2},
                                                  {"error client_discard/queue_overflow", 5},
                                                  {"span client_discard/we_ird_", 4},
                                                  {"unknown client_discard/x", 1},
                                                  {"error rate_limited/q", 5},
                                                  {"error filtered/f", 6}}));
}

TEST_F(DigestPromises, BoundsWhatAClientReportCanMakeItWrite) {
  std::string drops;
  for (int i = 0; i < 1000; ++i) {
    drops += (i ? "," : "") + std::string(R"({"reason":")") + std::to_string(i) +
             R"(","category":"error","quantity":1})";
  }
  receive(envelope(item("client_report", R"({"discarded_events":[)" + drops + "]}")));
  digest_all();
  EXPECT_EQ(outcomes().size(), 101U);
}

TEST_F(DigestPromises, ADamagedRecordIsPassedOver) {
  receive_event(R"(,"message":"a")");
  receive_event(R"(,"message":"b")");
  receive_event(R"(,"message":"c")");
  journal.damage(2);
  digest_all();
  EXPECT_EQ(issues().size(), 2U);
  EXPECT_EQ(outcomes(0), (std::map<std::string, std::uint64_t>{{"unknown invalid/corrupt", 1}}));
}

TEST_F(DigestPromises, RecordsOfASegmentThatIsLostAreCounted) {
  for (int i = 0; i < 6; ++i) receive_event(R"(,"message":"m")");
  digest_all({.batch_records = 1});
  for (int i = 0; i < 6; ++i) receive_event(R"(,"message":"m")");
  for (const buffer::Sequence sequence : {8, 9, 12}) journal.lose(sequence);
  journal.damage(10);
  digest_all();
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 8U);
  EXPECT_EQ(outcomes(0), (std::map<std::string, std::uint64_t>{{"unknown invalid/corrupt", 1}, {"unknown invalid/lost", 3}}));
  const auto cursor = buffer::find_row<schema::Cursor>(tables->snapshot(), Table::cursors, digest_consumer);
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->next_sequence(), 13U);
  EXPECT_EQ(cursor->envelopes(), 12U);
}

TEST_F(DigestPromises, WhatWasDroppedForWantOfRoomIsCountedItemByItem) {
  buffer::Record record;
  record.flags = buffer::record_dropped;
  record.received = clock.now();
  record.project = test_project;
  record.key = std::string(16, 'k');
  schema::IntakeMeta meta;
  for (const std::uint64_t number : {2, 1, 12, 40}) meta.add_item_counts(number);  // a transaction, forty spans
  record.meta = meta.SerializeAsString();
  receive(std::move(record));
  receive_event(R"(,"message":"fine")");
  digest_all();
  EXPECT_EQ(only_issue().title(), "fine");
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{
                            {"error accepted", 1}, {"span rate_limited/disk_full", 40}, {"transaction rate_limited/disk_full", 1}}));
}

TEST_F(DigestPromises, AnUndecodableRecordIsCountedAndPassedOver) {
  const auto with = [&](std::uint8_t coding, std::string body) {
    buffer::Record record;
    record.received = clock.now();
    record.project = test_project;
    record.coding = coding;
    record.body = std::move(body);
    receive(std::move(record));
  };
  with(1, "no gzip");
  with(77, "no coding");
  with(0, "no envelope\n{");
  with(0, "");
  receive_event(R"(,"message":"fine")");
  digest_all();
  EXPECT_EQ(only_issue().title(), "fine");
  EXPECT_EQ(outcomes()["unknown invalid/invalid_compression"], 2U);
  EXPECT_GE(outcomes()["unknown invalid/invalid_envelope"], 1U);
}

TEST_F(DigestPromises, AZipBombIsCountedAndPassedOver) {
  buffer::Record record;
  record.received = clock.now();
  record.project = test_project;
  record.coding = 4;
  record.body = relay::encode_zstd(std::string(std::size_t{8} << 20, 'x'), 1);
  receive(std::move(record));
  digest_all({.max_envelope_bytes = std::uint64_t{1} << 20});
  EXPECT_EQ(outcomes()["unknown invalid/too_large"], 1U);
}

TEST_F(DigestPromises, ARecordOfAKindFromTheFutureIsPassedOver) {
  buffer::Record record;
  record.kind = static_cast<buffer::RecordKind>(9);
  record.received = clock.now();
  record.body = "whatever";
  receive(std::move(record));
  receive_event(R"(,"message":"fine")");
  digest_all();
  EXPECT_EQ(only_issue().title(), "fine");
}

TEST_F(DigestPromises, EventsOfADeletedProjectAreCountedButMakeNoRows) {
  receive(envelope(item("event", R"({"message":"m"})") + item("novelty", "{}"), id_text(1)), 99);
  digest_all();
  EXPECT_EQ(outcomes(99), (std::map<std::string, std::uint64_t>{
                              {"error invalid/project_id", 1}, {"unknown invalid/project_id", 1}}));
  EXPECT_EQ(
      rows(Table::issues) + rows(Table::events) + rows(Table::raw_items) + rows(Table::event_id_runs),
      0U);
}

TEST_F(DigestPromises, KeysOfAnyTextFitTheTables) {
  const std::string long_text(5000, 'x');
  receive_event(R"(,"message":"m","release":")" + long_text + R"(","environment":")" + long_text +
                R"(","tags":{")" + long_text + "\":\"" + long_text +
                R"(","zero":"a\u0000b"},"user":{"id":")" + long_text + "\"}");
  receive(envelope(item(std::string(300, 't'), "x")));
  digest_all();
  EXPECT_EQ(issues().size(), 1U);
  EXPECT_EQ(rows(Table::raw_items), 1U);
}

TEST_F(DigestPromises, ACrowdOfItemsInOneEnvelopeIsReadWhole) {
  std::string items;
  for (int i = 0; i < 3000; ++i)
    items += item("novelty", "{}");
  receive(envelope(items));
  digest_all();
  EXPECT_EQ(outcomes()["unknown accepted"], 3000U);
  EXPECT_EQ(rows(Table::raw_items), 3000U);
}

struct Drift {
  std::optional<std::int64_t> timestamp;  // seconds relative to receipt, as the others
  std::optional<std::int64_t> sent_at;
  std::int64_t want;
};
class CorrectedTimestamp : public ::testing::TestWithParam<Drift> {};

TEST_P(CorrectedTimestamp, IsWhatTheServersClockWouldHaveSaid) {
  constexpr std::int64_t received = 1'700'000'000'000;
  const auto& drift = GetParam();
  std::optional<std::int64_t> timestamp;
  if (drift.timestamp) timestamp = received + *drift.timestamp * 1000;
  const auto sent_at = drift.sent_at ? received + *drift.sent_at * 1000 : 0;
  const Duration ninety_days(std::int64_t{90} * 24 * 3600 * 1000);
  EXPECT_EQ(corrected_timestamp(timestamp, sent_at, received, ninety_days) - received,
            drift.want * 1000);
}

constexpr std::int64_t hour = 3600;
constexpr std::int64_t day = 24 * hour;
INSTANTIATE_TEST_SUITE_P(Digest,
                         CorrectedTimestamp,
                         ::testing::Values(Drift{std::nullopt, std::nullopt, 0},
                                           Drift{-30, std::nullopt, -30},
                                           Drift{-30, -10, -30},
                                           Drift{-54 * 60 - 5, -54 * 60, -54 * 60 - 5},
                                           Drift{-55 * 60 - 5, -55 * 60, -5},
                                           Drift{-2 * hour - 7, -2 * hour, -7},
                                           Drift{3 * hour - 7, 3 * hour, -7},
                                           Drift{60, std::nullopt, 60},
                                           Drift{61, std::nullopt, 0},
                                           Drift{-90 * day, std::nullopt, -90 * day},
                                           Drift{-90 * day - 1, std::nullopt, 0},
                                           Drift{-5 * day, -1 * day, -4 * day}));

TEST_F(DigestPromises, DriftIsMeasuredByTheEnvelopesSentAt) {
  const auto received = to_ms(clock.now());
  receive(envelope(item("event", "{\"message\":\"m\",\"timestamp\":" +
                                     std::to_string((received - 7'205'000) / 1000) + "}"),
                   id_text(1), relay::render_timestamp(received - 7'200'000)));
  digest_all();
  EXPECT_EQ(counters_of(only_issue().id()).last_seen_ms(), received - 5000);
}

}  // namespace
}  // namespace picket::digest

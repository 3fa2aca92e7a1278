// What is refused while there is little room, as requests meet it, and what of the journal is worth least.
#include "relay/ingest/shedding.h"

#include "relay/ingest/coded.h"
#include "relay/ingest/desk.h"

#include <map>

namespace picket::ingest {
namespace {

class Sheds : public DeskTest {
 protected:
  std::string stored(std::size_t index) const {
    const auto records = journal.records();
    return index < records.size() ? decoded(records[index]) : std::string();
  }
  // outcome/reason/category → quantity
  std::map<std::string, std::uint64_t> dropped() {
    std::map<std::string, std::uint64_t> sums;
    for (const auto& row : outcomes()) {
      const auto outcome = wire_name(static_cast<relay::Outcome>(row.outcome()));
      const auto category = wire_name(static_cast<relay::DataCategory>(row.category()));
      sums[std::string(outcome) + "/" + row.reason() + "/" + std::string(category)] += row.quantity();
    }
    return sums;
  }
  using Sums = std::map<std::string, std::uint64_t>;

  // Of the records in the journal, in their order.
  std::vector<bool> picked_by(const std::vector<std::string>& low_value) const {
    IngestConfig config;
    config.low_value = low_value;
    const auto worth_least = make_worth_least(config);
    std::vector<bool> picked;
    for (const auto& record : journal.records()) {
      buffer::StoredRecord stored;
      stored.kind = record.kind;
      stored.meta = record.meta;
      picked.push_back(worth_least(stored));
    }
    return picked;
  }

  const std::string header = R"({"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"})"
                             "\n";
  const std::string transaction = item("transaction", R"({"type":"transaction"})");
  const std::string event = item("event", R"({"message":"hi"})");
  const std::string crash = item("attachment", "MDMP", R"(,"attachment_type":"event.minidump","filename":"dump")");
};

TEST_F(Sheds, LittleRoomRefusesWhatIsWorthLeastAndSaysSoOnEveryAnswer) {
  const auto both = header + event + item("session", "{}");
  journal.set_low(true);

  const auto shed = send(header + transaction + item("profile", "{}"));
  EXPECT_EQ(shed.status, 429U);
  EXPECT_EQ(shed.headers.find("Retry-After"), "60");
  const auto limits = relay::parse_rate_limits(shed.headers.find("X-Sentry-Rate-Limits"), clock.now());
  ASSERT_EQ(limits.size(), 1U);
  EXPECT_EQ(limits[0].reason, "disk_low");
  EXPECT_EQ(limits[0].scope, "organization");
  EXPECT_TRUE(relay::covers(limits[0], relay::DataCategory::transaction));
  EXPECT_FALSE(relay::covers(limits[0], relay::DataCategory::error));

  const auto kept = send(both);
  EXPECT_EQ(kept.status, 200U);
  EXPECT_EQ(kept.headers.find("X-Sentry-Rate-Limits"), shed.headers.find("X-Sentry-Rate-Limits"));
  EXPECT_EQ(stored(0), both) << "what is kept is stored as it came";
  const auto mixed = send(header + transaction + event);
  EXPECT_EQ(mixed.status, 200U);
  EXPECT_EQ(stored(1), header + event);
  EXPECT_TRUE(ingest->ready());

  journal.set_low(false);
  const auto again = send(header + transaction);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.headers.find("X-Sentry-Rate-Limits"), "");
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/disk_low/profile", 1}, {"rate_limited/disk_low/transaction", 2}}));
}

TEST_F(Sheds, LittleRoomRefusesWhatTheItemsOfAContainerAmountTo) {
  journal.set_low(true);
  const auto logs = item("log", R"({"items":[{"body":"a"},{"body":"b"},{"body":"c"}]})",
                         R"(,"item_count":3,"content_type":"application/vnd.sentry.items.log+json")");
  EXPECT_EQ(send("{}\n" + logs).status, 429U);
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/disk_low/log_item", 3}}));
}

TEST_F(Sheds, WhatCameWithATransactionGoesWithItAndACrashIsNeverAnAttachment) {
  journal.set_low(true);
  const auto file = item("attachment", "abc", R"(,"filename":"a.txt")");
  EXPECT_EQ(send(header + transaction + file).status, 429U);
  EXPECT_EQ(dropped(), (Sums{{"rate_limited/disk_low/attachment", 1}, {"rate_limited/disk_low/transaction", 1}}));

  IngestConfig config;
  config.low_value = {"attachment"};
  ingest = std::make_unique<Ingest>(journal, *tables, clock, config);
  EXPECT_EQ(send(header + event + file + crash).status, 200U);
  EXPECT_EQ(stored(0), header + event + crash);
}

TEST_F(Sheds, ARecordIsWorthLeastWhenAllThatIsInItIs) {
  const auto file = item("attachment", "abc", R"(,"filename":"a.txt")");
  send(header + transaction + item("profile", "{}") + file);
  send(header + transaction + event);
  send(event_envelope());
  send(header + crash);
  EXPECT_EQ(picked_by(IngestConfig().low_value), (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(picked_by({"transaction", "profile", "error"}), (std::vector<bool>{true, true, true, false}));
  EXPECT_EQ(picked_by({"attachment"}), (std::vector<bool>{false, false, false, false})) << "alone it may be a crash";
  EXPECT_EQ(picked_by({}), (std::vector<bool>{false, false, false, false}));
  const auto worth_least = make_worth_least({});
  EXPECT_FALSE(worth_least(buffer::StoredRecord())) << "of an older version: nobody counted";
}

TEST(Shedding, AWordThatIsNoCategoryIsNamed) {
  IngestConfig config;
  EXPECT_TRUE(parse_low_value(config));
  config.low_value = {"transaction", "flowers"};
  const auto wrong = parse_low_value(config);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().detail.find("flowers"), std::string::npos);
  config.low_value = {"*"};
  EXPECT_FALSE(parse_low_value(config));
  config.low_value = {};
  EXPECT_TRUE(parse_low_value(config)->empty());
}

}  // namespace
}  // namespace picket::ingest

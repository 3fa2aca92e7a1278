#include "api/digest/trim.h"

#include "api/digest/digest_fixture.h"
#include "api/digest/payload.h"
#include "relay/protocol/content_encoding.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

class Trim : public DigestTest {
 protected:
  void receive_ten() {
    for (int i = 0; i < 10; ++i) {
      receive(envelope(
          item("event", R"({"message":"m"})") + item("novelty", "{}") + item("attachment", "x"),
          id_text(++last_id)));
    }
  }
  void set_floor(buffer::Sequence floor) {
    ASSERT_TRUE(tables->write(
        [&](buffer::Batch& batch) { batch.put(Table::meta, "journal_floor", Key().u64(floor)); }));
  }
  std::vector<std::uint64_t> event_rows() const {
    std::uint64_t ids = 0;
    for (std::uint64_t id = 1; id <= last_id; ++id) ids += knows(id_text(id)) ? 1U : 0U;
    return {rows(Table::events), ids, rows(Table::events_by_issue), rows(Table::events_by_project)};
  }
};

TEST_F(Trim, RemovesAllRowsOfEventsBeforeTheFloor) {
  receive_ten();
  digest_all();
  const auto trimmed = trim_before(*tables, 7, 1000);
  ASSERT_TRUE(trimmed);
  EXPECT_TRUE(trimmed->done);
  EXPECT_EQ(trimmed->rows, 6 + 12U);
  EXPECT_EQ(event_rows(), (std::vector<std::uint64_t>{4, 4, 4, 4}));
  EXPECT_EQ(rows(Table::raw_items), 8U);
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 10U);
}

TEST_F(Trim, GoesInSmallSteps) {
  receive_ten();
  digest_all();
  int steps = 0;
  for (bool done = false; !done; ++steps) {
    const auto trimmed = trim_before(*tables, 11, 3);
    ASSERT_TRUE(trimmed);
    EXPECT_LE(trimmed->rows, 6U);
    done = trimmed->done;
    ASSERT_LT(steps, 20);
  }
  EXPECT_EQ(event_rows(), (std::vector<std::uint64_t>{0, 0, 0, 0}));
  EXPECT_EQ(rows(Table::raw_items), 0U);
  EXPECT_EQ(rows(Table::event_id_runs), 0U);
  EXPECT_GE(steps, 4);
}

TEST_F(Trim, WritesNothingWhenThereIsNothingToRemove) {
  receive_ten();
  digest_all();
  const auto before = tables->use().last_transaction;
  const auto trimmed = trim_before(*tables, 1, 1000);
  ASSERT_TRUE(trimmed);
  EXPECT_TRUE(trimmed->done);
  EXPECT_EQ(tables->use().last_transaction, before);
}

TEST_F(Trim, FollowsTheFloorWhileDigesting) {
  receive_ten();
  digest_all();
  set_floor(5);
  digest_all();
  EXPECT_EQ(rows(Table::events), 6U);
  receive_ten();
  set_floor(11);
  digest_all();
  EXPECT_EQ(rows(Table::events), 10U);
}

TEST_F(Trim, LetsAnIdBeUsedAgain) {
  receive_ten();
  digest_all();
  ASSERT_TRUE(trim_before(*tables, 11, 1000));
  receive(envelope(item("event", R"({"message":"m"})"), id_text(3)));
  digest_all();
  EXPECT_EQ(rows(Table::events), 1U);
  EXPECT_EQ(counters_of(only_issue().id()).times_seen(), 11U);
}

class Payload : public DigestTest {};

TEST_F(Payload, IsReadWhereTheRowSays) {
  buffer::Record record;
  record.received = clock.now();
  record.project = test_project;
  record.coding = static_cast<std::uint8_t>(relay::Coding::zstd);
  record.body =
      relay::encode_zstd(envelope(item("event", R"({"message":"m"})") +
                                      item("attachment", "bytes", ",\"filename\":\"a.txt\""),
                                  id_text(1)),
                         1);
  schema::IntakeMeta meta;
  meta.set_user_agent("agent");
  record.meta = meta.SerializeAsString();
  receive(std::move(record));
  auto read = read_payload(journal, 1, 0);
  ASSERT_TRUE(read) << read.error().detail;
  const auto payload = std::move(*read);
  EXPECT_EQ(payload.own().payload, R"({"message":"m"})");
  EXPECT_EQ(payload.own().type, "event");
  EXPECT_EQ(payload.meta.user_agent(), "agent");
  EXPECT_EQ(payload.project, test_project);
  EXPECT_EQ(payload.received, clock.now());
  ASSERT_EQ(payload.envelope.items.size(), 2U);
  EXPECT_EQ(payload.envelope.items[1].payload, "bytes");
}

TEST_F(Payload, SaysWhatIsWrong) {
  receive(envelope(item("event", "{}")));
  receive("no envelope\n{");
  buffer::Record record;
  record.coding = 1;
  record.body = "no gzip";
  receive(std::move(record));
  receive(envelope(item("event", "{}")));
  journal.damage(4);
  EXPECT_EQ(read_payload(journal, 1, 1).error().fault, Fault::not_found);
  EXPECT_EQ(read_payload(journal, 2, 0).error().fault, Fault::corrupt);
  EXPECT_EQ(read_payload(journal, 3, 0).error().fault, Fault::corrupt);
  EXPECT_EQ(read_payload(journal, 4, 0).error().fault, Fault::corrupt);
  EXPECT_EQ(read_payload(journal, 5, 0).error().fault, Fault::not_found);
}

TEST_F(Payload, OfAnInvalidEventIsStillThere) {
  receive(envelope(item("event", "not json"), id_text(1)));
  digest_all();
  const auto payload = read_payload(journal, 1, 0);
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->own().payload, "not json");
}

}  // namespace
}  // namespace picket::digest

// Envelopes that another Picket sends once more, because it cannot know that they arrived: each counts once.
#include "api/digest/digest_fixture.h"

#include <stdexcept>

namespace picket::digest {
namespace {

using Outcomes = std::map<std::string, std::uint64_t>;

constexpr auto sessions_category = static_cast<std::uint64_t>(relay::DataCategory::session);

std::string raw_id(std::uint64_t number) {
  return std::string(relay::raw_bytes(*relay::parse_event_id(id_text(number))));
}

class Repeats : public DigestTest {
 protected:
  // Ten sessions that an SDK has added up itself, in one item: nothing in them says which they are.
  void receive_sessions(const std::string& record_id, std::uint64_t project = test_project) {
    schema::IntakeMeta meta;
    meta.add_item_counts(sessions_category);
    meta.add_item_counts(1);
    meta.set_record_id(record_id);
    buffer::Record record;
    record.received = clock.now();
    record.project = project;
    record.key = std::string(16, 'k');
    record.meta = meta.SerializeAsString();
    record.body = envelope(item("sessions", "{\"aggregates\":[{\"started\":\"" + relay::render_timestamp(to_ms(clock.now())) +
                                                "\",\"exited\":10}],\"attrs\":{\"release\":\"app@1\"}}"));
    receive(std::move(record));
  }
  std::uint64_t sessions(std::uint64_t project = test_project) const {
    std::uint64_t sum = 0;
    const auto snapshot = tables->snapshot();
    auto cursor = snapshot.cursor(buffer::Table::session_counts);
    for (bool there = cursor.first(); there; there = cursor.next()) {
      if (buffer::KeyReader(cursor.key()).u64() == project) sum += buffer::parse_row<schema::SessionCounts>(cursor.value()).sessions();
    }
    return sum;
  }
};

TEST_F(Repeats, CountOnceWithinABatchAndInALaterOne) {
  receive_sessions(raw_id(1));
  receive_sessions(raw_id(2));
  receive_sessions(raw_id(1));
  digest_all();
  EXPECT_EQ(sessions(), 20U);
  EXPECT_EQ(counters.duplicates, 1U);
  clock.advance(Duration(3'600'000));
  receive_sessions(raw_id(1));
  receive_sessions(raw_id(3));
  digest_all();  // another digest: as after a restart
  EXPECT_EQ(sessions(), 30U);
  EXPECT_EQ(outcomes(), (Outcomes{{"session accepted", 3}, {"session invalid/duplicate", 2}}));
}

TEST_F(Repeats, AreOfAProject) {
  add_project(8, "other");
  receive_sessions(raw_id(1));
  receive_sessions(raw_id(1), 8);
  digest_all();
  receive_sessions(raw_id(1), 8);
  digest_all();
  EXPECT_EQ(sessions(), 10U);
  EXPECT_EQ(sessions(8), 10U);
}

TEST_F(Repeats, AreNoneWithoutAnId) {
  for (const std::string id : {"", "", "short", "short"}) receive_sessions(id);
  digest_all();
  EXPECT_EQ(sessions(), 40U);
}

TEST_F(Repeats, AreFoundAlsoWhenABatchIsWrittenOneByOne) {
  class Poisonous final : public Clock {
   public:
    Time now() const override {
      if (++calls == 1) throw std::runtime_error("poison");
      return time_from_ms(1'700'000'000'000);
    }
    mutable int calls = 0;
  };
  receive_sessions(raw_id(1));
  receive_sessions(raw_id(1));
  receive_sessions(raw_id(2));
  const Poisonous poisonous;
  Digest digest(journal, *tables, poisonous, {});
  ASSERT_TRUE(digest.run_once());
  EXPECT_GT(poisonous.calls, 1);
  EXPECT_EQ(digest.counters().next, 4U);
  EXPECT_EQ(sessions(), 20U);
}

// What is kept of an id is some of the bits of a hash: the record says whose they are.
TEST_F(Repeats, AreNotWhatOnlySharesAHash) {
  receive_sessions(raw_id(1));
  digest_all();
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) {
    const auto id = raw_id(2);
    buffer::add_event_ids(batch, test_project, {{id, {1, 0}}});
  }));
  receive_sessions(raw_id(2));
  digest_all();
  EXPECT_EQ(sessions(), 20U);
}

// Nobody sends again what the journal had time to forget; and if somebody does, twice is better than not at all.
TEST_F(Repeats, AreForgottenWithTheirRecords) {
  receive_sessions(raw_id(1));
  digest_all();
  ASSERT_TRUE(journal.recycle_before(2));
  ASSERT_TRUE(tables->write([](buffer::Batch& batch) { batch.put(buffer::Table::meta, "journal_floor", buffer::Key().u64(2)); }));
  receive_sessions(raw_id(1));
  digest_all();
  EXPECT_EQ(sessions(), 20U);
  receive_sessions(raw_id(1));
  digest_all();
  EXPECT_EQ(sessions(), 20U);
}

TEST_F(Repeats, AreNoEvents) {
  receive_sessions(raw_id(1));
  digest_all();
  EXPECT_FALSE(knows(id_text(1)));
  const auto id = receive_event(R"(,"message":"m")");
  ASSERT_EQ(id, id_text(1));
  digest_all();
  EXPECT_TRUE(knows(id)) << "an event with the same id is one";
  EXPECT_EQ(only_issue().title(), "m");
}

}  // namespace
}  // namespace picket::digest

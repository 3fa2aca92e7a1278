// Sessions: updates in any order, aggregates, counts by the hour, and what they are let go of.
#include "api/digest/digest_fixture.h"
#include "api/digest/expiry.h"
#include "api/digest/session_state.h"
#include "api/digest/user_set.h"

#include <algorithm>
#include <random>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

constexpr std::int64_t hour_ms = 3'600'000;

class Sessions : public DigestTest {
 protected:
  // `fields` are further members, with a leading comma; the session began when the test's clock says.
  std::string update(std::uint64_t session, std::string_view fields) const {
    return item("session", "{\"sid\":\"" + id_text(session) + "\",\"started\":\"" +
                               relay::render_timestamp(to_ms(clock.now())) + "\"" + std::string(fields) +
                               ",\"attrs\":{\"release\":\"app@1\",\"environment\":\"prod\"}}");
  }
  void receive_update(std::uint64_t session, std::string_view fields) { receive(envelope(update(session, fields))); }

  Key hour_key(std::string_view release = "app@1", std::string_view environment = "prod") const {
    const auto hour = static_cast<std::uint64_t>(to_ms(clock.now()) / hour_ms * hour_ms);
    return std::move(Key().u64(test_project).u64(hour).text(release).text(environment));
  }
  schema::SessionCounts counts() const { return row<schema::SessionCounts>(Table::session_counts, hour_key()); }
  std::uint64_t users(UserKind kind) const {
    const auto key = Key().raw(hour_key()).u8(static_cast<std::uint8_t>(kind));
    return UserSet(buffer::find_row<schema::UserSet>(tables->snapshot(), Table::session_users, key).value_or(schema::UserSet())).count();
  }
  schema::SessionRow session(std::uint64_t number) const {
    const auto id = relay::parse_event_id(id_text(number));
    return row<schema::SessionRow>(Table::sessions, Key().u64(test_project).raw(relay::raw_bytes(*id)));
  }
};

TEST_F(Sessions, AnUpdateIsNoSecondSession) {
  receive_update(1, R"(,"init":true,"seq":0,"status":"ok")");
  digest_all();
  EXPECT_EQ(counts().sessions(), 1U);
  receive_update(1, R"(,"seq":1,"status":"ok","errors":1)");
  receive_update(1, R"(,"seq":2,"status":"exited","errors":2,"duration":12.5)");
  digest_all();
  EXPECT_EQ(counts().sessions(), 1U);
  EXPECT_EQ(counts().errored(), 1U);
  EXPECT_EQ(session(1).errors(), 2U);
  EXPECT_EQ(session(1).duration_ms(), 12'500);
  EXPECT_EQ(counts().durations(), 1U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"session accepted", 3}}));
}

TEST_F(Sessions, TheEndWinsOverWhatComesAfterIt) {
  receive_update(1, R"(,"seq":5,"status":"crashed")");
  receive_update(1, R"(,"seq":1,"status":"ok","init":true)");
  receive_update(1, R"(,"seq":6,"status":"exited")");
  digest_all();
  EXPECT_EQ(counts().crashed(), 1U);
  EXPECT_EQ(counts().sessions(), 1U);
}

TEST_F(Sessions, AnyOrderInAnyBatchesGivesTheSameRows) {
  const std::vector<std::string> updates{
      update(1, R"(,"seq":0,"init":true,"status":"ok")"),
      update(1, R"(,"seq":1,"status":"ok","errors":1,"did":"ada")"),
      update(1, R"(,"seq":2,"status":"abnormal","errors":3,"did":"ada","duration":7)"),
      update(2, R"(,"seq":0,"init":true,"status":"ok","did":"bob")"),
      update(2, R"(,"seq":1,"status":"exited","did":"bob","duration":3)"),
      update(3, R"(,"seq":9,"status":"crashed","did":"ada","duration":2)"),
      update(3, R"(,"seq":8,"status":"ok","errors":1)"),
  };
  const auto rows_after = [&](const std::vector<std::string>& order, std::size_t batch) {
    tables = open_tables(folder / ("order" + std::to_string(++last_id)));
    add_project(test_project, "shop");
    testing::FakeJournal own;
    Digest digest(own, *tables, clock, {});
    for (std::size_t i = 0; i < order.size(); ++i) {
      buffer::Record record;
      record.received = clock.now();
      record.project = test_project;
      record.key = std::string(16, 'k');
      record.body = envelope(order[i]);
      EXPECT_TRUE(own.offer(std::move(record), [](const Result<buffer::Sequence>&) {}));
      if ((i + 1) % batch == 0) {
        EXPECT_TRUE(digest.run_once());
      }
    }
    EXPECT_TRUE(digest.run_once());
    auto all = everything();
    std::erase_if(all, [](const auto& entry) {
      const auto table = static_cast<Table>(entry.first.first);
      return table != Table::sessions && table != Table::session_counts && table != Table::session_users;
    });
    return all;
  };
  const auto expected = rows_after(updates, 1);
  ASSERT_EQ(expected.size(), 3U + 1U + 4U);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    auto order = updates;
    std::ranges::shuffle(order, random);
    // Twice is once.
    order.push_back(order[static_cast<std::size_t>(round) % order.size()]);
      EXPECT_EQ(rows_after(order, 1 + static_cast<std::size_t>(round) % 4), expected) << "seed 7, round " << round;
  }
}

TEST_F(Sessions, UsersAreCountedOncePerKind) {
  receive_update(1, R"(,"status":"ok","did":"ada")");
  receive_update(2, R"(,"status":"crashed","did":"ada")");
  receive_update(3, R"(,"status":"exited","did":"bob")");
  receive_update(4, R"(,"status":"exited")");
  digest_all();
  EXPECT_EQ(users(UserKind::all), 2U);
  EXPECT_EQ(users(UserKind::errored), 1U);
  EXPECT_EQ(users(UserKind::crashed), 1U);
  EXPECT_EQ(users(UserKind::abnormal), 0U);
}

TEST_F(Sessions, AggregatesAddUp) {
  const auto started = relay::render_timestamp(to_ms(clock.now()));
  receive(envelope(item("sessions", R"({"aggregates":[{"started":")" + started +
                                        R"(","exited":10,"errored":3,"crashed":1},{"started":")" + started +
                                        R"(","did":"ada","exited":1}],"attrs":{"release":"app@1","environment":"prod"}})")));
  digest_all();
  EXPECT_EQ(counts().sessions(), 15U);
  EXPECT_EQ(counts().errored(), 3U);
  EXPECT_EQ(counts().crashed(), 1U);
  EXPECT_EQ(users(UserKind::all), 1U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"session accepted", 1}}));
}

TEST_F(Sessions, WhatIsTooOldOrNoSessionIsCountedAsInvalid) {
  receive(envelope(item("session", R"({"sid":"00000000000000000000000000000001","started":"2001-01-01T00:00:00Z","attrs":{"release":"r"}})")));
  receive(envelope(item("session", R"({"sid":"00000000000000000000000000000001","started":"9999-01-01T00:00:00Z","attrs":{"release":"r"}})")));
  receive(envelope(item("session", "not json")));
  receive(envelope(item("session", R"({"sid":"00000000000000000000000000000001","started":1,"attrs":{}})")));
  receive(envelope(item("sessions", R"({"aggregates":[{"started":"2001-01-01T00:00:00Z","exited":1}],"attrs":{"release":"r"}})")));
  digest_all();
  EXPECT_EQ(rows(Table::sessions), 0U);
  EXPECT_EQ(outcomes(), (std::map<std::string, std::uint64_t>{{"session invalid/timestamp", 3}, {"session invalid/invalid_json", 2}}));
}

TEST_F(Sessions, AReleaseIsKnownByItsSessions) {
  receive_update(1, R"(,"status":"ok")");
  digest_all();
  EXPECT_EQ(row<schema::Release>(Table::releases, Key().u64(test_organization).text("app@1")).version(), "app@1");
  EXPECT_EQ(row<schema::ReleaseProject>(Table::release_projects, Key().u64(test_organization).text("app@1").u64(test_project)).first_event_ms(), 0);
  EXPECT_TRUE(tables->snapshot().get(Table::environments, Key().u64(test_project).text("prod")));
}

TEST_F(Sessions, ASessionThatNeverEndsIsLetGoOf) {
  receive_update(1, R"(,"status":"ok")");
  digest_all();
  ASSERT_TRUE(expire(*tables, clock.now() + session_age - Duration(1), 100));
  EXPECT_EQ(rows(Table::sessions), 1U);
  ASSERT_TRUE(expire(*tables, clock.now() + session_age + Duration(1), 100));
  EXPECT_EQ(rows(Table::sessions), 0U);
  EXPECT_EQ(rows(Table::sessions_by_age), 0U);
  EXPECT_EQ(counts().sessions(), 1U);
  ASSERT_TRUE(expire(*tables, clock.now() + history_age + Duration(hour_ms), 100));
  EXPECT_EQ(rows(Table::session_counts), 0U);
}

// Records that wait without an end put off what is let go of, but not for good.
TEST_F(Sessions, AreLetGoOfThoughTheDigestNeverRests) {
  receive_update(1, R"(,"status":"ok")");
  digest_all();
  clock.advance(session_age + Duration(hour_ms));
  for (int minute = 0; minute < 12; ++minute) {
    receive_update(2, R"(,"status":"ok")");
    clock.advance(Duration(60'000));
  }
  Digest digest(journal, *tables, clock, {.batch_records = 1});
  for (int minute = 0; minute < 3; ++minute) {
    ASSERT_TRUE(digest.run_once());
    clock.advance(Duration(60'000));
  }
  EXPECT_EQ(rows(Table::sessions), 2U);
  for (int minute = 0; minute < 4; ++minute) {
    ASSERT_TRUE(digest.run_once());
    clock.advance(Duration(60'000));
  }
  EXPECT_EQ(rows(Table::sessions), 1U);
}

TEST(UserSet, IsExactWhileSmallAndCloseWhenLarge) {
  UserSet set;
  for (int i = 0; i < 200; ++i)
    set.add(user_hash("user" + std::to_string(i % 100)));
  EXPECT_EQ(set.count(), 100U);
  for (int i = 0; i < 50'000; ++i)
    set.add(user_hash("user" + std::to_string(i)));
  EXPECT_NEAR(static_cast<double>(set.count()), 50'000.0, 50'000 * 0.06);
  EXPECT_LE(set.row().ByteSizeLong(), 4200U);
}

TEST(UserSet, JoinsToTheSameWhateverTheOrder) {
  UserSet small;
  UserSet large;
  for (int i = 0; i < 100; ++i)
    small.add(user_hash("s" + std::to_string(i)));
  for (int i = 0; i < 1000; ++i)
    large.add(user_hash("l" + std::to_string(i)));
  auto one = small;
  one.join(large);
  auto other = large;
  other.join(small);
  EXPECT_EQ(one.row().SerializeAsString(), other.row().SerializeAsString());
  EXPECT_EQ(UserSet(one.row()).count(), one.count());
}

TEST(SessionCounts, QuantilesAreWithinTheirBuckets) {
  schema::SessionCounts counts;
  for (int seconds = 1; seconds <= 100; ++seconds) {
    schema::SessionRow row;
    merge({.started_ms = 1, .release = "r", .environment = {}, .user = 0, .sequence = 1, .errors = 0, .status = SessionStatus::exited, .duration_ms = seconds * 1000, .received_ms = 1}, row);
    count_session(row, true, counts);
  }
  EXPECT_NEAR(*duration_quantile(counts, 0.5), 50'000, 3'000);
  EXPECT_NEAR(*duration_quantile(counts, 0.99), 99'000, 6'000);
  EXPECT_FALSE(duration_quantile(schema::SessionCounts(), 0.5));
}

}  // namespace
}  // namespace picket::digest

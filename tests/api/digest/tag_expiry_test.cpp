#include "api/digest/tag_expiry.h"

#include "api/digest/digest_fixture.h"
#include "api/digest/postings.h"
#include "api/digest/trim.h"
#include "api/digest/waiting_tags.h"

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

constexpr Duration day(std::int64_t{24} * 3600 * 1000);

class OldTags : public DigestTest {
 protected:
  void receive_from(std::string_view user) {
    receive_event(",\"message\":\"m\",\"user\":{\"id\":\"" + std::string(user) + "\"}");
    digest_all();
  }
  void let_go_of_all_events() {
    const auto trimmed = trim_before(*tables, journal.use().next, 1000);
    ASSERT_TRUE(trimmed && trimmed->done);
  }
  // A whole pass; how many steps it took.
  int expire_tags(std::size_t most_rows = 1000) {
    for (int steps = 1; steps < 1000; ++steps) {
      const auto done = expiry.step(*tables, clock.now(), most_rows);
      EXPECT_TRUE(done) << done.error().detail;
      if (!done || *done) return steps;
    }
    ADD_FAILURE() << "no end";
    return 0;
  }
  std::uint64_t issue() { return only_issue().id(); }
  bool issue_has(const std::string& user) { return tag_count(issue(), "user", "id:" + user).count() > 0; }
  bool project_has(const std::string& user) {
    return tables->snapshot().get(Table::project_tags, Key().u64(test_project).text("user").text("id:" + user)).has_value();
  }
  bool is_found_by(const std::string& user) {
    const auto key = posting_key(test_project, Key().text("user").text("id:" + user).view(), issue());
    return tables->snapshot().get(Table::issues_by_tag, key).has_value();
  }
  std::vector<bool> where(const std::string& user) { return {issue_has(user), is_found_by(user), project_has(user)}; }
  const std::vector<bool> everywhere{true, true, true};
  const std::vector<bool> nowhere{false, false, false};

  TagExpiry expiry;
};

TEST_F(OldTags, GoEverywhereWhenTheirLastEventIsGoneAndWas90DaysAgo) {
  receive_from("anna");
  receive_from("boris");
  clock.advance(50 * day);
  receive_from("boris");
  clock.advance(50 * day);
  receive_from("clara");
  let_go_of_all_events();
  expire_tags();
  EXPECT_EQ(where("anna"), nowhere);
  EXPECT_EQ(where("boris"), everywhere);
  EXPECT_EQ(where("clara"), everywhere);
  EXPECT_EQ(tag_count(issue(), "user", "id:boris").count(), 2U);
  EXPECT_EQ(tag_count(issue(), "level", "error").count(), 4U);
  EXPECT_EQ(counters_of(issue()).times_seen(), 4U);
  EXPECT_EQ(counters_of(issue()).users_seen(), 3U);
}

TEST_F(OldTags, StayAsLongAsAnEventOfTheirTimeIsHere) {
  receive_from("anna");
  clock.advance(1000 * day);
  receive_from("boris");
  expire_tags();
  EXPECT_EQ(where("anna"), everywhere);
  ASSERT_TRUE(trim_before(*tables, 2, 1000));
  expire_tags();
  EXPECT_EQ(where("anna"), nowhere);
  EXPECT_EQ(where("boris"), everywhere);
}

TEST_F(OldTags, OfAProjectStayWhileAnyIssueHasThem) {
  receive_from("anna");
  receive_event(R"(,"message":"another one","user":{"id":"anna"})");
  digest_all();
  ASSERT_EQ(issues().size(), 2U);
  clock.advance(100 * day);
  // Of the second event's time something is here.
  ASSERT_TRUE(trim_before(*tables, 2, 1000));
  expire_tags();
  EXPECT_TRUE(project_has("anna"));
  let_go_of_all_events();
  expire_tags();
  EXPECT_FALSE(project_has("anna"));
  EXPECT_EQ(rows(Table::issue_tags), 0U);
  EXPECT_EQ(rows(Table::issues_by_tag), 0U);
  EXPECT_EQ(rows(Table::project_tags), 0U);
}

TEST_F(OldTags, GoInSmallStepsAndOnlyWhatGoesIsWritten) {
  for (int i = 0; i < 20; ++i) receive_from(std::to_string(i));
  let_go_of_all_events();
  const auto before = tables->use().last_transaction;
  EXPECT_GT(expire_tags(3), 10);
  EXPECT_EQ(tables->use().last_transaction, before);
  clock.advance(100 * day);
  receive_from("last");
  expire_tags(3);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(where(std::to_string(i)), nowhere);
  EXPECT_EQ(where("last"), everywhere);
}

// Seen again a moment ago, in events that are not yet added to the rows.
TEST_F(OldTags, StayWhileWhatSaysThatTheyWereSeenWaits) {
  const auto receive_all = [&] {
    for (std::size_t i = 0; i <= least_waiting_issues; ++i)
      receive_event(",\"message\":\"" + std::string(i + 1, 'm') + "\",\"user\":{\"id\":\"anna\"}");
  };
  receive_all();
  digest_all();
  ASSERT_GT(issues().size(), least_waiting_issues);
  let_go_of_all_events();
  clock.advance(100 * day);
  receive_all();
  Digest digest(journal, *tables, clock, {});
  ASSERT_TRUE(digest.run_once());
  ASSERT_GT(rows(Table::tag_runs), 0U);
  let_go_of_all_events();
  expire_tags();
  for (const auto& issue : issues()) EXPECT_EQ(tag_count(issue.id(), "user", "id:anna").count(), 2U);
  EXPECT_TRUE(project_has("anna"));
}

TEST_F(OldTags, AUserWhoComesBackAfterThatIsNew) {
  receive_from("anna");
  let_go_of_all_events();
  clock.advance(100 * day);
  expire_tags();
  receive_from("anna");
  EXPECT_EQ(where("anna"), everywhere);
  EXPECT_EQ(counters_of(issue()).users_seen(), 2U);
}

}  // namespace
}  // namespace picket::digest

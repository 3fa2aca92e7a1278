#include "api/digest/ownership.h"
#include "api/digest/digest_fixture.h"

namespace picket::digest {
namespace {

TEST(Globs, MatchTheWholeTextWithoutRegardToCase) {
  EXPECT_TRUE(matches_glob("src/*.py", "src/shop/pay.py"));
  EXPECT_TRUE(matches_glob("SRC/pay.p?", "src/pay.py"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("a**b", "ab"));
  EXPECT_TRUE(matches_glob("app/pay.cs", "App\\pay.cs"));
  EXPECT_FALSE(matches_glob("src/pay", "src/pay.py"));
  EXPECT_FALSE(matches_glob("pay.py", "src/pay.py"));
  EXPECT_FALSE(matches_glob("", "x"));
  EXPECT_FALSE(matches_glob("a*b?", "aXb"));
}

TEST(Globs, TakeNoLongerThanTheyMust) {
  const std::string text(20'000, 'a');
  EXPECT_FALSE(matches_glob("*a*a*a*a*a*a*a*a*a*a*b", text));
}

schema::OwnershipRule rule(std::string_view matcher, std::string_view pattern, std::uint64_t user = 1) {
  schema::OwnershipRule made;
  made.set_matcher(std::string(matcher));
  made.set_pattern(std::string(pattern));
  made.add_owners()->set_user(user);
  return made;
}

TEST(OwnershipRules, LookAtFramesAddressAndTags) {
  const auto event = parse_event(R"({"request":{"url":"https://shop.example/checkout"},
    "exception":{"values":[{"type":"E","stacktrace":{"frames":[{"filename":"src/pay.py","module":"shop.pay","abs_path":"/srv/src/pay.py"}]}}]}})");
  ASSERT_TRUE(event);
  const std::vector<Tag> tags{{"transaction", "/checkout/:page"}};
  EXPECT_TRUE(matches_rule(rule("path", "src/*"), *event, tags));
  EXPECT_TRUE(matches_rule(rule("path", "src/"), *event, tags));
  EXPECT_TRUE(matches_rule(rule("path", "/srv/src/pay.py"), *event, tags));
  EXPECT_TRUE(matches_rule(rule("module", "shop.*"), *event, tags));
  EXPECT_TRUE(matches_rule(rule("url", "https://shop.example/*"), *event, tags));
  EXPECT_TRUE(matches_rule(rule("tags.transaction", "/checkout/:page"), *event, tags));
  EXPECT_FALSE(matches_rule(rule("path", "lib/*"), *event, tags));
  EXPECT_FALSE(matches_rule(rule("module", "src/*"), *event, tags));
  EXPECT_FALSE(matches_rule(rule("tags.other", "*"), *event, tags));
  EXPECT_FALSE(matches_rule(rule("nonsense", "*"), *event, tags));
}

TEST(OwnershipRules, TheLastThatMatchesOwns) {
  const auto event = parse_event(R"({"exception":{"values":[{"type":"E","stacktrace":{"frames":[{"filename":"src/pay.py"}]}}]}})");
  ASSERT_TRUE(event);
  schema::Ownership ownership;
  *ownership.add_rules() = rule("path", "*", 1);
  *ownership.add_rules() = rule("path", "src/*", 2);
  *ownership.add_rules() = rule("path", "lib/*", 3);
  const auto* owning = owning_rule(ownership, *event, {});
  ASSERT_NE(owning, nullptr);
  EXPECT_EQ(owning->owners(0).user(), 2U);
}

class OwnershipTest : public DigestTest {
 protected:
  void set_rules(AutoAssignment assignment, std::vector<schema::OwnershipRule> rules) {
    schema::Ownership ownership;
    ownership.set_auto_assignment(static_cast<std::uint32_t>(assignment));
    for (auto& each : rules) *ownership.add_rules() = std::move(each);
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { put_ownership(batch, test_project, ownership); }));
  }
  void event() {
    receive_event(R"(,"exception":{"values":[{"type":"E","stacktrace":{"frames":[{"filename":"src/pay.py"}]}}]})");
    digest_all();
  }
};

TEST_F(OwnershipTest, AssignsAndSuggests) {
  set_rules(AutoAssignment::owner, {rule("path", "src/*", 42)});
  event();
  EXPECT_EQ(only_issue().assigned_user(), 42U);
  EXPECT_EQ(only_issue().owner_user(), 42U);
  EXPECT_EQ(rows(buffer::Table::activities), 1U);
  event();
  EXPECT_EQ(rows(buffer::Table::activities), 1U);
}

TEST_F(OwnershipTest, OnlySuggestsWhenAssignmentIsOff) {
  set_rules(AutoAssignment::off, {rule("path", "src/*", 42)});
  event();
  EXPECT_EQ(only_issue().assigned_user(), 0U);
  EXPECT_EQ(only_issue().owner_user(), 42U);
}

TEST_F(OwnershipTest, LeavesAloneWhatSomebodyDecided) {
  event();
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    auto issue = only_issue();
    issue.set_assigned_ms(5);  // assigned once, and unassigned
    buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(issue.id()), issue);
  }));
  set_rules(AutoAssignment::owner, {rule("path", "src/*", 42)});
  event();
  EXPECT_EQ(only_issue().assigned_user(), 0U);
  EXPECT_EQ(only_issue().owner_user(), 42U);
}

TEST_F(OwnershipTest, ChangedRulesHoldForTheNextBatch) {
  Digest digest(journal, *tables, clock, {});
  set_rules(AutoAssignment::off, {rule("path", "src/*", 1)});
  event();
  set_rules(AutoAssignment::off, {rule("path", "src/*", 2)});
  receive_event(R"(,"exception":{"values":[{"type":"E","stacktrace":{"frames":[{"filename":"src/pay.py"}]}}]})");
  ASSERT_TRUE(digest.run_once());
  set_rules(AutoAssignment::off, {});
  receive_event(R"(,"exception":{"values":[{"type":"E","stacktrace":{"frames":[{"filename":"src/pay.py"}]}}]})");
  ASSERT_TRUE(digest.run_once());
  EXPECT_EQ(only_issue().owner_user(), 2U);
}

}  // namespace
}  // namespace picket::digest

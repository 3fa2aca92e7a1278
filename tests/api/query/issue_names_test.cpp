#include "api/query/issue_names.h"

#include "api/digest/deletion.h"
#include "issues_fixture.h"

namespace picket::query {
namespace {

TEST(ShortId, UsesCrockfordsDigits) {
  EXPECT_EQ(render_short_id("shop", 1), "SHOP-1");
  EXPECT_EQ(render_short_id("my-shop", 31), "MY-SHOP-Z");
  EXPECT_EQ(render_short_id("shop", 32), "SHOP-10");
  EXPECT_EQ(render_short_id("shop", 0), "SHOP-0");
}

class IssueNames : public IssueTables {
 protected:
  void add_project(std::uint64_t id, std::string slug) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      schema::Project project;
      project.set_id(id);
      project.set_slug(slug);
      buffer::put_row(batch, buffer::Table::projects, buffer::Key().u64(id), project);
    }));
  }
  void add_short_id(std::uint64_t project, std::uint64_t number, std::uint64_t issue) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      batch.put(buffer::Table::short_ids, buffer::Key().u64(project).u64(number), buffer::Key().u64(issue));
    }));
  }
};

TEST_F(IssueNames, ShortIdsAreFoundInAnyCase) {
  add_project(1, "my-shop");
  put({.id = 5, .title = "x", .last_seen_ms = 1});
  add_short_id(1, 33, 5);
  const Ids projects{1};
  EXPECT_EQ(find_short_id(tables->snapshot(), projects, "MY-SHOP-11"), 5U);
  EXPECT_EQ(find_short_id(tables->snapshot(), projects, "my-shop-11"), 5U);
  for (const auto* name : {"MY-SHOP-12", "MY-SHOP-", "MY-SHOP", "-11", "", "SHOP-11", "MY-SHOP-1I", "MY-SHOP-1111111111111"}) {
    EXPECT_FALSE(find_short_id(tables->snapshot(), projects, name)) << name;
  }
  EXPECT_FALSE(find_short_id(tables->snapshot(), Ids{2}, "MY-SHOP-11"));
}

TEST_F(IssueNames, MergedIssuesStandForTheirParent) {
  put({.id = 1, .title = "x", .last_seen_ms = 1});
  put({.id = 2, .title = "x", .last_seen_ms = 1});
  const auto merge = [&](std::uint64_t from, std::uint64_t into) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      auto row = *buffer::find_row<schema::Issue>(batch, buffer::Table::issues, buffer::Key().u64(from));
      row.set_merged_into(into);
      buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(from), row);
    }));
  };
  EXPECT_EQ(find(""), (Ids{2, 1}));
  merge(2, 1);
  EXPECT_EQ(resolve_issue(tables->snapshot(), 2), 1U);
  EXPECT_EQ(find(""), Ids{1});
  merge(1, 2);  // a circle ends
  EXPECT_FALSE(resolve_issue(tables->snapshot(), 2));
}

TEST_F(IssueNames, DeletionGoesOnWhereItStopped) {
  using digest::continue_deletions;
  using digest::hide_issues;
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    TestIssue issue{.id = 1, .title = "x", .last_seen_ms = 1};
    for (int i = 0; i < 9'000; ++i) issue.tags.emplace_back("k", std::to_string(i));
    put(batch, issue);
    put(batch, {.id = 2, .title = "y", .last_seen_ms = 1, .tags = {{"k", "1"}}});
  }));
  ASSERT_TRUE(hide_issues(*tables, Ids{1, 77}));
  EXPECT_EQ(find(""), Ids{2});
  const auto first = continue_deletions(*tables, 1);
  ASSERT_TRUE(first);
  EXPECT_FALSE(*first);
  EXPECT_EQ(tables->snapshot().entries(buffer::Table::issue_tags), 5'001U);
  const auto rest = continue_deletions(*tables, 100'000);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(*rest);
  EXPECT_EQ(tables->snapshot().entries(buffer::Table::issue_tags), 1U);
  EXPECT_EQ(tables->snapshot().entries(buffer::Table::issues_by_tag), 1U);
  EXPECT_TRUE(*continue_deletions(*tables, 1));
}

}  // namespace
}  // namespace picket::query

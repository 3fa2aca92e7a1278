// Tables with issues written straight into them.
#pragma once

#include "api/digest/postings.h"
#include "api/query/issue_search.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::query {

struct TestIssue {
  std::uint64_t id = 0;
  std::string title;
  std::int64_t last_seen_ms = 0;
  std::uint64_t times_seen = 1;
  std::uint64_t users = 0;
  std::uint64_t project = 1;
  std::vector<std::pair<std::string, std::string>> tags{};
  std::uint32_t level = 40;
  std::uint32_t status = 0;
  std::uint32_t substatus = 3;
  std::uint32_t priority = 0;
};

class IssueTables : public ::testing::Test {
 protected:
  IssueTables() {
    auto opened = buffer::Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    EXPECT_TRUE(opened);
    tables = *std::move(opened);
  }

  static void put(buffer::Batch& batch, const TestIssue& issue) {
    using buffer::Key;
    using buffer::Table;
    const auto key = Key().u64(issue.id);
    const auto seen = [&](std::int64_t ms) { return Key().u64(issue.project).descending(static_cast<std::uint64_t>(ms)).u64(issue.id); };
    if (const auto old = buffer::find_row<schema::IssueCounters>(batch, Table::issue_counters, key)) {
      batch.remove(Table::issues_by_last_seen, seen(old->last_seen_ms()));
    }
    schema::Issue row;
    row.set_id(issue.id);
    row.set_project(issue.project);
    row.set_short_number(issue.id);
    row.set_title(issue.title);
    row.set_metadata_json("{\"type\":\"" + issue.title + "\"}");
    row.set_level(issue.level);
    row.set_status(issue.status);
    row.set_substatus(issue.substatus);
    row.set_priority(issue.priority);
    row.set_first_seen_ms(1'000);
    buffer::put_row(batch, Table::issues, key, row);
    schema::IssueCounters counters;
    counters.set_times_seen(issue.times_seen);
    counters.set_last_seen_ms(issue.last_seen_ms);
    counters.set_users_seen(issue.users);
    counters.set_hour_start(1);
    for (int i = 0; i < 72; ++i) counters.add_hours(300);
    buffer::put_row(batch, Table::issue_counters, key, counters);
    batch.put(Table::issues_by_last_seen, seen(issue.last_seen_ms), "");
    for (const auto& [name, value] : issue.tags) {
      buffer::put_row(batch, Table::issue_tags, Key().u64(issue.id).text(name).text(value), schema::TagCount());
      const auto posting = digest::posting_key(issue.project, Key().text(name).text(value), issue.id);
      std::string holders(batch.get(Table::issues_by_tag, posting).value_or(std::string_view()));
      if (digest::add_posting(holders, issue.id)) batch.put(Table::issues_by_tag, posting, holders);
    }
  }
  void put(const TestIssue& issue) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) { put(batch, issue); }));
  }
  void remove(std::uint64_t id) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      batch.remove(buffer::Table::issues, buffer::Key().u64(id));
      batch.remove(buffer::Table::issue_counters, buffer::Key().u64(id));
    }));
  }

  static IssueRequest request(std::string_view query) {
    IssueRequest wanted;
    wanted.scope.organization = 1;
    wanted.scope.projects = {1, 2};
    wanted.scope.now = time_from_ms(1'000'000'000);
    auto condition = parse_condition(query, issue_language(), wanted.scope.now);
    EXPECT_TRUE(condition) << query;
    if (condition) wanted.condition = *std::move(condition);
    return wanted;
  }
  std::vector<std::uint64_t> find(IssueSearch& in, const IssueRequest& wanted) {
    const auto page = in.find(*tables, wanted);
    EXPECT_TRUE(page) << page.error().detail;
    std::vector<std::uint64_t> ids;
    for (const auto& issue : page->issues) ids.push_back(issue.id);
    return ids;
  }
  std::vector<std::uint64_t> find(std::string_view query) { return find(search, request(query)); }

  std::unique_ptr<buffer::Tables> tables;
  IssueSearch search;

 private:
  testing::TempDir folder_;
};

using Ids = std::vector<std::uint64_t>;

}  // namespace picket::query

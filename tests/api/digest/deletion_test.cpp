#include "api/digest/deletion.h"

#include "api/digest/digest_fixture.h"

namespace picket::digest {
namespace {

using DeletionTest = DigestTest;
using buffer::Table;

constexpr std::uint64_t other_project = 8;
constexpr Table of_projects[] = {
    Table::issues,       Table::issue_counters, Table::issue_hashes,      Table::hashes_by_issue,
    Table::short_ids,    Table::events,         Table::event_id_runs,     Table::events_by_issue,
    Table::issue_tags,   Table::issues_by_tag,  Table::events_by_project, Table::issues_by_last_seen,
    Table::project_tags, Table::environments,   Table::raw_items};

TEST_F(DeletionTest, ADeletedProjectLeavesNothingBehindButItsCounts) {
  const auto fill = [&](std::uint64_t project) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      const auto id = id_text(project * 1000 + i);
      const auto text = "{\"level\":\"error\",\"environment\":\"e\",\"tags\":{\"shift\":\"night\"},\"exception\":{\"values\":[{\"type\":\"E" +
                        std::to_string(i % 7) + "\"}]}}";
      receive(envelope(item("event", text) + item("attachment", "bytes"), id), project);
      receive(envelope(item("transaction", "{}"), id_text(project * 2000 + i)), project);
    }
  };
  add_project(other_project, "other");
  fill(other_project);
  digest_all();
  std::map<Table, std::uint64_t> before;
  for (const auto table : of_projects) before[table] = rows(table);
  fill(test_project);
  digest_all();
  for (const auto table : {Table::events, Table::issues, Table::raw_items}) EXPECT_EQ(rows(table), 2 * before[table]);
  const auto outcomes = rows(Table::outcomes);

  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.remove(Table::projects, buffer::Key().u64(test_project));
    note_deleted_project(batch, test_project);
  }));
  digest_all();  // which has nothing else to do
  for (const auto table : of_projects) EXPECT_EQ(rows(table), before[table]) << buffer::table_name(table);
  EXPECT_EQ(rows(Table::outcomes), outcomes);
  EXPECT_TRUE(*continue_deletions(*tables, 1));
}

TEST_F(DeletionTest, WhatArrivesForADeletedProjectIsCountedAndLeavesNoRows) {
  receive_event("");
  digest_all();
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    batch.remove(Table::projects, buffer::Key().u64(test_project));
    note_deleted_project(batch, test_project);
  }));
  receive_event("");
  digest_all();
  for (const auto table : of_projects) EXPECT_EQ(rows(table), 0U) << buffer::table_name(table);
}

}  // namespace
}  // namespace picket::digest

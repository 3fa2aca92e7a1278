#include "api/digest/waiting_tags.h"

#include "api/digest/issue_tags.h"
#include "api/digest/postings.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "buffer/schema_number.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Batch;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

using Counts = std::map<std::uint64_t, std::map<std::string, TagSum>>;  // by issue, then tag

std::string tag(std::string_view key, std::uint64_t value) {
  return std::string(Key().text(key).text("v" + std::to_string(value)).view());
}

std::uint64_t project_of(std::uint64_t issue) {
  return 1 + issue % 3;
}

class WaitingTagsTest : public ::testing::Test {
 protected:
  WaitingTagsTest() {
    open();
    EXPECT_TRUE(buffer::check_schema(*tables_, time_from_ms(1)));
  }
  void open() {
    tables_.reset();
    auto opened = buffer::Tables::open({.path = folder_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    ASSERT_TRUE(opened);
    tables_ = *std::move(opened);
  }

  static void add(Batch& batch, const Counts& counts) {
    std::set<std::string> texts;
    for (const auto& [issue, tags] : counts) {
      for (const auto& [text, sum] : tags) texts.insert(text);
    }
    TagIncrements added;
    added.tags.assign(texts.begin(), texts.end());
    for (const auto& [issue, tags] : counts) {
      for (const auto& [text, sum] : tags)
        added.uses.push_back({static_cast<std::uint32_t>(std::distance(texts.begin(), texts.find(text))), sum});
      added.owners.push_back({issue, project_of(issue), added.uses.size()});
    }
    add_tags(batch, added);
  }
  void write(const std::function<void(Batch&)>& change) {
    const auto written = tables_->write(change);
    ASSERT_TRUE(written) << written.error().detail;
  }
  void add(const Counts& counts) {
    write([&](Batch& batch) { add(batch, counts); });
    for (const auto& [issue, tags] : counts) {
      for (const auto& [text, sum] : tags) model_[issue][text].add(sum);
    }
  }

  Counts random_counts(std::size_t issues) {
    Counts counts;
    while (counts.size() < issues) {
      auto& tags = counts[1 + random_() % 700];
      for (std::size_t i = 0; i < 1 + random_() % 5; ++i) {
        const auto at = static_cast<std::int64_t>(random_() % 100'000);
        const auto text = random_() % 2 == 0 ? tag("user", random_() % 300) : tag(random_() % 2 == 0 ? "a" : "zone", random_() % 4);
        tags[text] = {1 + random_() % 5, at, at + static_cast<std::int64_t>(random_() % 50)};
      }
    }
    return counts;
  }

  // As a deletion does.
  void remove(std::uint64_t issue) {
    write([&](Batch& batch) {
      fold_tags_of(batch, issue);
      std::vector<std::string> keys;
      auto rows = batch.cursor(Table::issue_tags);
      const auto prefix = Key().u64(issue);
      for (bool more = rows.seek(prefix); more && rows.key().starts_with(prefix.view()); more = rows.next()) keys.emplace_back(rows.key());
      for (const auto& key : keys) {
        remove_posting(batch, project_of(issue), std::string_view(key).substr(8), issue);
        batch.remove(Table::issue_tags, key);
      }
    });
    model_.erase(issue);
  }

  static TagSum sum_of(const schema::TagCount& count) { return {count.count(), count.first_seen_ms(), count.last_seen_ms()}; }

  void check_issue(const buffer::Reader& reader, std::uint64_t issue) const {
    const IssueTags tags(reader);
    const auto of = model_.find(issue);
    const auto wanted = of == model_.end() ? std::map<std::string, TagSum>() : of->second;
    std::map<std::string, TagSum> found;
    std::string before;
    tags.for_each(issue, "", [&](std::string_view text, const schema::TagCount& count) {
      EXPECT_LT(before, text);
      before = text;
      found[before] = sum_of(count);
      return true;
    });
    EXPECT_EQ(found, wanted) << issue;
    std::set<std::string> keys;
    std::map<std::string, TagSum> users;
    for (const auto& [text, sum] : wanted) {
      keys.emplace(KeyReader(text).text());
      if (text.starts_with("user")) users[text.substr(5)] = sum;
    }
    EXPECT_EQ(tags.keys(issue), std::vector<std::string>(keys.begin(), keys.end()));
    found.clear();
    tags.for_each(issue, Key().text("user"), [&](std::string_view rest, const schema::TagCount& count) {
      found[std::string(rest)] = sum_of(count);
      return true;
    });
    EXPECT_EQ(found, users) << issue;
  }

  std::set<std::uint64_t> holders(const buffer::Reader& reader, std::uint64_t project, const std::string& text) const {
    std::vector<std::uint64_t> issues;
    auto postings = reader.cursor(Table::issues_by_tag);
    const auto prefix = Key().u64(project).raw(text);
    for (bool more = postings.seek(prefix); more && postings.key().starts_with(prefix.view()); more = postings.next())
      read_postings(postings.key(), postings.value(), issues);
    WaitingTags(reader).holders(project, text, issues);
    return {issues.begin(), issues.end()};
  }
  void check_holders(const buffer::Reader& reader, const std::string& text) const {
    for (std::uint64_t project = 1; project <= 3; ++project) {
      std::set<std::uint64_t> wanted;
      for (const auto& [issue, tags] : model_) {
        if (project_of(issue) == project && tags.contains(text)) wanted.insert(issue);
      }
      EXPECT_EQ(holders(reader, project, text), wanted);
    }
  }

  void check_known(const buffer::Reader& reader) {
    std::set<std::pair<std::uint64_t, std::string>> asked;
    for (int i = 0; i < 60; ++i) asked.emplace(random_() % 720, tag("user", random_() % 310));
    std::vector<IssueTag> tags;
    for (const auto& [issue, text] : asked) tags.push_back({.issue = issue, .tag = text});
    mark_known(reader, tags);
    for (const auto& each : tags) {
      const auto of = model_.find(each.issue);
      EXPECT_EQ(each.known, of != model_.end() && of->second.contains(std::string(each.tag)));
    }
  }

  void check_some() {
    const auto snapshot = tables_->snapshot();
    for (int i = 0; i < 15; ++i) check_issue(snapshot, 1 + random_() % 700);
    check_holders(snapshot, tag("user", random_() % 300));
    check_holders(snapshot, tag("a", random_() % 4));
    check_known(snapshot);
  }

  void settle() {
    for (bool more = true; more;) write([&](Batch& batch) { more = fold_some_tags(batch); });
  }

  std::uint64_t rows(Table table) const { return tables_->snapshot().entries(table); }
  std::uint32_t stored_reader() const {
    return buffer::find_row<schema::Environment>(tables_->snapshot(), Table::meta, "environment")->minimum_reader();
  }

  const testing::TempDir folder_;
  std::unique_ptr<buffer::Tables> tables_;
  std::mt19937_64 random_{11};
  Counts model_;
};

TEST_F(WaitingTagsTest, WhatReadersSeeEqualsAPlainMapAtEveryStep) {
  for (int step = 0; step < 120; ++step) {
    const auto dice = random_() % 12;
    if (dice < 6) add(random_counts(least_waiting_issues + random_() % 100));
    if (dice == 6) add(random_counts(1 + random_() % 20));
    if (dice == 7) remove(1 + random_() % 700);
    if (dice == 8) write([&](Batch& batch) { fold_some_tags(batch); });
    if (dice == 9) {
      const auto issue = 1 + random_() % 700;
      write([&](Batch& batch) { fold_tags_of(batch, issue); });
      std::vector<std::uint64_t> postings;
      EXPECT_TRUE(WaitingTags(tables_->snapshot()).uses_of(issue, "").empty());
    }
    if (dice == 10) {
      const auto failed = tables_->write([&](Batch& batch) {
        add(batch, random_counts(least_waiting_issues));
        batch.fail({Fault::unavailable, "no"});
      });
      EXPECT_FALSE(failed);
    }
    if (dice == 11) open();
    check_some();
    if (HasFailure()) FAIL() << "step " << step;
  }
  EXPECT_GT(rows(Table::tag_runs), 0U);
  EXPECT_LE(rows(Table::tag_runs), tag_slices);
  settle();
  EXPECT_EQ(rows(Table::tag_runs), 0U);
  EXPECT_FALSE(tables_->snapshot().get(Table::meta, "tag_folds"));
  std::size_t wanted = 0;
  for (const auto& [issue, tags] : model_) wanted += tags.size();
  EXPECT_EQ(rows(Table::issue_tags), wanted);
  const auto snapshot = tables_->snapshot();
  for (std::uint64_t issue = 0; issue <= 701; ++issue) check_issue(snapshot, issue);
  for (std::uint64_t value = 0; value < 300; ++value) check_holders(snapshot, tag("user", value));
  for (std::uint64_t value = 0; value < 4; ++value) check_holders(snapshot, tag("zone", value));
}

TEST_F(WaitingTagsTest, ReadsWithinABatchSeeItsOwnIncrements) {
  const auto counts = random_counts(200);
  add(random_counts(200));
  auto both = model_;
  for (const auto& [issue, tags] : counts) {
    for (const auto& [text, sum] : tags) both[issue][text].add(sum);
  }
  write([&](Batch& batch) {
    add(batch, counts);
    std::swap(model_, both);
    for (const auto& [issue, tags] : counts) check_issue(batch, issue);
    check_known(batch);
  });
}

TEST_F(WaitingTagsTest, TagsOfAKeyThatMatchAreFoundWhileTheyWait) {
  add({});
  Counts counts;
  for (std::uint64_t issue = 1; issue <= 100; ++issue) counts[issue] = {{tag("user", issue), {1, 5, 5}}, {tag("users", 7), {1, 5, 5}}};
  add(counts);
  std::vector<std::uint64_t> found;
  WaitingTags(tables_->snapshot()).matching_holders(1, Key().text("user"), [](std::string_view value) { return KeyReader(value).text().ends_with("3"); }, found);
  std::set<std::uint64_t> wanted;
  for (const auto& [issue, tags] : model_) {
    const bool waits = WaitingTags(tables_->snapshot()).uses_of(issue, "").size() == 2;
    if (waits && project_of(issue) == 1 && issue % 10 == 3) wanted.insert(issue);
  }
  EXPECT_GT(wanted.size(), 0U);
  EXPECT_EQ(std::set<std::uint64_t>(found.begin(), found.end()), wanted);
}

TEST_F(WaitingTagsTest, BatchesOfFewIssuesAreAddedToTheRowsAtOnce) {
  add(random_counts(least_waiting_issues - 1));
  EXPECT_EQ(rows(Table::tag_runs), 0U);
  check_some();
  add(random_counts(least_waiting_issues));
  EXPECT_EQ(rows(Table::tag_runs), 1U);
  // Each small one after it lets a slice have its turn.
  for (std::size_t i = 0; i < tag_slices; ++i) add(random_counts(1));
  EXPECT_EQ(rows(Table::tag_runs), 0U);
  check_some();
}

TEST_F(WaitingTagsTest, AnOlderBinaryIsRefusedAsLongAsSomethingWaits) {
  EXPECT_EQ(stored_reader(), buffer::minimum_reader);
  add(random_counts(least_waiting_issues));
  EXPECT_EQ(stored_reader(), buffer::tag_runs_reader);
  EXPECT_EQ(buffer::read_minimum_reader(*tables_), buffer::minimum_reader);
  // What is raised meanwhile stays raised.
  ASSERT_TRUE(buffer::raise_minimum_reader(*tables_, buffer::bundle_reader));
  EXPECT_EQ(stored_reader(), buffer::tag_runs_reader);
  ASSERT_TRUE(buffer::check_schema(*tables_, time_from_ms(2)));
  settle();
  EXPECT_EQ(stored_reader(), buffer::bundle_reader);
  EXPECT_EQ(buffer::read_minimum_reader(*tables_), buffer::bundle_reader);
}

TEST_F(WaitingTagsTest, ADamagedRunIsPassedOverAndGoesWhenItsTimeHasCome) {
  add(random_counts(100));
  write([&](Batch& batch) {
    auto cursor = batch.cursor(Table::tag_runs);
    ASSERT_TRUE(cursor.first());
    const std::string key(cursor.key());
    const std::string value(cursor.value());
    batch.put(Table::tag_runs, key, value.substr(0, value.size() / 2));
  });
  // What of it was added before is all there is.
  model_.clear();
  const auto snapshot = tables_->snapshot();
  auto tags = snapshot.cursor(Table::issue_tags);
  for (bool there = tags.first(); there; there = tags.next()) {
    const auto key = std::string(tags.key());
    model_[KeyReader(key).u64()][key.substr(8)] = sum_of(buffer::parse_row<schema::TagCount>(tags.value()));
  }
  check_some();
  add(random_counts(100));
  check_some();
  settle();
  EXPECT_EQ(rows(Table::tag_runs), 0U);
  check_some();
}

}  // namespace
}  // namespace picket::digest

// A list by date is answered from the newest issues where these suffice, with the same answer.
#include "issues_fixture.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

namespace picket::query {
namespace {

class NewestFirst : public IssueTables {
 protected:
  static constexpr std::uint64_t count = 18'000;  // enough for a walk to be worth it, also with tags

  void SetUp() override {
    std::mt19937 random(5);
    const auto pick = [&](std::uint64_t below) { return random() % below; };
    for (std::uint64_t first = 1; first <= count; first += 3'000) {
      ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
        for (auto id = first; id < first + 3'000; ++id) {
          // Hundreds of issues share a time: the order among them is the id's.
          put(batch, {.id = id,
                      .title = "t" + std::to_string(pick(4)),
                      .last_seen_ms = static_cast<std::int64_t>(1'000'000 + pick(60)),
                      .times_seen = 1 + pick(9),
                      .project = 1 + pick(3),
                      .tags = {{"color", pick(3) == 0 ? "red" : "blue"}, {"rare", std::to_string(pick(500))}},
                      .level = pick(3) == 0 ? 30U : 40U});
        }
      }));
    }
  }

  // As if every issue had been looked at: naming them all forbids the walk.
  Result<IssuePage> find_among_all(IssueRequest wanted) {
    wanted.all_hits = true;
    wanted.ids.emplace();
    for (std::uint64_t id = 1; id <= 2 * count; ++id) wanted.ids->push_back(id);
    return search.find(*tables, wanted);
  }

  void expect_same(const IssueRequest& wanted, const std::string& what) {
    const auto walked = search.find(*tables, wanted);
    const auto all = find_among_all(wanted);
    ASSERT_TRUE(walked && all) << what;
    Ids shown;
    Ids expected;
    for (const auto& issue : walked->issues) shown.push_back(issue.id);
    for (const auto& issue : all->issues) expected.push_back(issue.id);
    EXPECT_EQ(shown, expected) << what;
    EXPECT_EQ(walked->has_next, all->has_next) << what;
    EXPECT_EQ(walked->has_previous, all->has_previous) << what;
    EXPECT_EQ(std::min(walked->hits, most_told_hits), std::min(all->hits, most_told_hits)) << what;
    EXPECT_LE(walked->hits, all->hits) << what;
    stopped_early_ += walked->hits < all->hits ? 1 : 0;
  }

  // No deadline: it is the answers that are compared, however busy the machine.
  IssueSearch search{ColumnRoom{}, std::chrono::minutes(10)};
  int stopped_early_ = 0;
};

TEST_F(NewestFirst, AgreesWithLookingAtAll) {
  std::mt19937 random(9);
  const std::string queries[] = {"",          "t1",       "level:warning", "is:unresolved level:error",   "color:red",
                                 "!color:red", "rare:77", "t2 color:blue", "level:error color:blue !rare:5", "nothing"};
  for (int round = 0; round < 80; ++round) {
    const auto& query = queries[random() % std::size(queries)];
    auto wanted = request(query);
    if (random() % 3 == 0) wanted.scope.projects = {1, 2, 3};
    if (random() % 4 == 0) wanted.scope.projects = {2};
    if (random() % 4 == 0) wanted.from_ms = 1'000'000 + static_cast<std::int64_t>(random() % 60);
    wanted.most = 1 + random() % 100;
    if (random() % 2 == 0) {
      wanted.value = 1'000'000 + random() % 62;
      wanted.id = random() % (count + 10);
      wanted.previous = random() % 3 == 0;
    } else {
      wanted.id = random() % 3 == 0 ? random() % 1'500 : 0;
    }
    expect_same(wanted, "round " + std::to_string(round) + ": " + query);
  }
  EXPECT_GT(stopped_early_, 5) << "nothing was shown if the index is never followed";
}

TEST_F(NewestFirst, AgreesWhileIssuesChange) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const auto now = static_cast<std::int64_t>(1'000'100 + round / 3);
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      for (int i = 0; i < 50; ++i) {
        const auto id = 1 + random() % (count + 50);
        const auto old = buffer::find_row<schema::Issue>(batch, buffer::Table::issues, buffer::Key().u64(id));
        put(batch, {.id = id, .title = "t1", .last_seen_ms = now, .project = old ? old->project() : 1, .level = 40});
      }
    }));
    expect_same(request("level:error"), "round " + std::to_string(round));
  }
  EXPECT_GT(stopped_early_, 10);
}

TEST_F(NewestFirst, PagesThroughTheWholeListRepeatAndMissNothing) {
  auto wanted = request("level:error");
  std::set<std::uint64_t> seen;
  std::pair<std::uint64_t, std::uint64_t> before{~std::uint64_t{0}, 0};
  for (int pages = 0;; ++pages) {
    ASSERT_LT(pages, 300);
    const auto page = search.find(*tables, wanted);
    ASSERT_TRUE(page);
    for (const auto& issue : page->issues) {
      EXPECT_TRUE(seen.insert(issue.id).second) << issue.id;
      EXPECT_LT(std::pair(issue.value, issue.id), before);
      before = {issue.value, issue.id};
    }
    if (!page->has_next) break;
    wanted.value = page->issues.back().value;
    wanted.id = page->issues.back().id;
  }
  EXPECT_EQ(seen.size(), find_among_all(request("level:error"))->hits);
}

// Without room for the columns the same order is followed in the tables.
TEST_F(NewestFirst, TablesThatDoNotFitInMemoryGiveTheSamePages) {
  IssueSearch walking({.bytes = 1}, std::chrono::minutes(10));
  auto wanted = request("t1");
  for (int pages = 0; pages < 3; ++pages) {
    const auto page = walking.find(*tables, wanted);
    const auto expected = find_among_all(wanted);
    ASSERT_TRUE(page && expected);
    ASSERT_EQ(page->issues.size(), expected->issues.size());
    for (std::size_t i = 0; i < page->issues.size(); ++i) EXPECT_EQ(page->issues[i].id, expected->issues[i].id);
    EXPECT_LT(page->hits, expected->hits);
    wanted.value = page->issues.back().value;
    wanted.id = page->issues.back().id;
  }
}

// So many that their texts find no room, but the columns do.
class WithoutTextsInMemory : public NewestFirst, public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(, WithoutTextsInMemory, ::testing::Values(std::size_t{0}, std::size_t{100'000}, std::size_t{512} << 20));

TEST_P(WithoutTextsInMemory, SearchesGiveTheSameAnswers) {
  const ColumnRoom room{.bytes = 1'000'000, .file_bytes = GetParam()};
  IssueColumns columns(room);
  bool shown = false;
  columns.with(*tables, [&](const ColumnSet& set, const buffer::Reader&) {
    const bool file_is_long_enough = GetParam() > 1'000'000;
    shown = set.without_texts() && set.lean() != file_is_long_enough && set.issues().size() == count;
  });
  ASSERT_TRUE(shown) << "the room is not such that only the columns fit";
  IssueSearch lean(room, std::chrono::minutes(10));
  for (const auto* query : {"t1", "!t1", "title:t2", "t1 OR color:red", "error.type:t3 level:error", "has:culprit", "!has:error.type", "message:*2",
                            "t1 color:red rare:7", "(t1 OR t3) !color:red", "nothing", "T2", "\"t1 t2\"", "level:error"}) {
    for (const auto sort : {IssueSort::date, IssueSort::freq, IssueSort::new_}) {
      auto wanted = request(query);
      wanted.sort = sort;
      wanted.most = 50;
      const auto expected = find_among_all(wanted);
      for (const auto* from : {"first", "second"}) {
        const auto page = lean.find(*tables, wanted);
        ASSERT_TRUE(page && expected) << query;
        ASSERT_EQ(page->issues.size(), expected->issues.size()) << query << ", " << from;
        for (std::size_t i = 0; i < page->issues.size(); ++i) EXPECT_EQ(page->issues[i].id, expected->issues[i].id) << query << i;
        EXPECT_EQ(page->has_next, expected->has_next) << query;
        EXPECT_EQ(std::min(page->hits, most_told_hits), std::min(expected->hits, most_told_hits)) << query;
      }
    }
  }
}

TEST_F(NewestFirst, ListsAndSearchesAreTheSameWhileTheColumnsAreRead) {
  for (int run = 0; run < 5; ++run) {
    IssueSearch starting({}, std::chrono::minutes(10));
    starting.read_ahead(*tables, 0);
    for (const auto* query : {"level:error", "t1", "t1 color:red"}) {
      for (const auto sort : {IssueSort::date, IssueSort::freq}) {
        auto wanted = request(query);
        wanted.sort = sort;
        const auto expected = find_among_all(wanted);
        const auto page = starting.find(*tables, wanted);
        ASSERT_TRUE(page && expected) << query;
        ASSERT_EQ(page->issues.size(), expected->issues.size()) << query;
        for (std::size_t i = 0; i < page->issues.size(); ++i) EXPECT_EQ(page->issues[i].id, expected->issues[i].id) << query << i;
      }
    }
  }
}

// As while another thread reads all issues.
TEST_F(NewestFirst, ColumnsAreNotFreeWhileSomebodyHasThem) {
  IssueColumns columns;
  const auto asked = [&] { return std::async(std::launch::async, [&] { return columns.is_free(std::chrono::milliseconds(10)); }).get(); };
  EXPECT_TRUE(asked());
  columns.with(*tables, [&](const ColumnSet&, const buffer::Reader&) { EXPECT_FALSE(asked()); });
  EXPECT_TRUE(asked());
}

TEST_F(NewestFirst, ReadingAheadEndsWithTheSearchItIsFor) {
  std::stop_source stop;
  stop.request_stop();
  IssueColumns columns;
  columns.catch_up(*tables, stop.get_token());
  bool shown = false;
  columns.with(*tables, [&](const ColumnSet& set, const buffer::Reader&) { shown = set.issues().size() == count; });
  EXPECT_TRUE(shown);
}

class LongTexts : public IssueTables, public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(, LongTexts, ::testing::Values(std::size_t{0}, std::size_t{70'000}, std::size_t{1} << 20));

TEST_P(LongTexts, GoToAFileOrAreLeftOutWhenThereAreTooManyAndComeBack) {
  IssueSearch small({.bytes = 60'000, .file_bytes = GetParam()}, std::chrono::minutes(10));
  const auto titled = [](std::uint64_t id, std::size_t bytes) {
    return TestIssue{.id = id, .title = "needle" + std::to_string(id) + std::string(bytes, 'x'), .last_seen_ms = static_cast<std::int64_t>(id)};
  };
  for (std::uint64_t id = 1; id <= 20; ++id) put(titled(id, 10));
  EXPECT_EQ(find(small, request("needle7x")), Ids{7});
  for (std::uint64_t id = 21; id <= 60; ++id) put(titled(id, 2'000));
  EXPECT_EQ(find(small, request("needle33x")), Ids{33});
  put({.id = 33, .title = "another", .last_seen_ms = 33});
  EXPECT_EQ(find(small, request("needle33x")), Ids{});
  EXPECT_EQ(find(small, request("another")), Ids{33});
  // So often that what is no longer needed has to be cleared away.
  for (std::size_t i = 0; i < 100; ++i) {
    put(titled(34, 2'000 + i));
    ASSERT_EQ(find(small, request("needle34x")), Ids{34});
  }
  EXPECT_EQ(find(small, request("needle35x")), Ids{35});
  for (std::uint64_t id = 21; id <= 60; ++id) remove(id);
  EXPECT_EQ(find(small, request("needle7x")), Ids{7});
  EXPECT_EQ(find(small, request("another")), Ids{});
}

}  // namespace
}  // namespace picket::query

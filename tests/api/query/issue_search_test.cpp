#include "api/query/issue_search.h"

#include "issues_fixture.h"

#include <boost/json.hpp>

#include <functional>
#include <random>
#include <thread>

namespace picket::query {
namespace {

TEST_F(IssueTables, FollowsWhatIsAddedChangedAndRemoved) {
  put({.id = 1, .title = "one", .last_seen_ms = 10});
  put({.id = 2, .title = "two", .last_seen_ms = 20});
  EXPECT_EQ(find(""), (Ids{2, 1}));
  put({.id = 3, .title = "three", .last_seen_ms = 15});
  EXPECT_EQ(find(""), (Ids{2, 3, 1}));
  put({.id = 1, .title = "uno", .last_seen_ms = 30});
  EXPECT_EQ(find(""), (Ids{1, 2, 3}));
  EXPECT_EQ(find("uno"), Ids{1});
  EXPECT_EQ(find("one"), Ids{});
  remove(2);
  EXPECT_EQ(find(""), (Ids{1, 3}));
}

TEST_F(IssueTables, AnEventThatComesLateMovesNothingButCounts) {
  put({.id = 1, .title = "one", .last_seen_ms = 10, .times_seen = 1});
  put({.id = 2, .title = "two", .last_seen_ms = 20, .times_seen = 5});
  EXPECT_EQ(find("timesSeen:>1"), Ids{2});
  put({.id = 1, .title = "one", .last_seen_ms = 10, .times_seen = 2});
  EXPECT_EQ(find("timesSeen:>1"), (Ids{2, 1}));
}

TEST_F(IssueTables, AWriteThroughAnotherHandleIsSeenToo) {
  put({.id = 1, .title = "one", .last_seen_ms = 10});
  IssueSearch other;
  EXPECT_EQ(find(""), Ids{1});
  EXPECT_EQ(find(other, request("")), Ids{1});
  put({.id = 2, .title = "two", .last_seen_ms = 20});
  EXPECT_EQ(find(""), (Ids{2, 1}));
  EXPECT_EQ(find(other, request("")), (Ids{2, 1}));
}

TEST_F(IssueTables, MoreChangesThanAreRememberedAreReadAnew) {
  put({.id = 1, .title = "one", .last_seen_ms = 10});
  EXPECT_EQ(find(""), Ids{1});
  for (int round = 0; round < 40; ++round) {
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      for (std::uint64_t id = 2; id < 1'002; ++id) put(batch, {.id = id, .title = "many", .last_seen_ms = round + 20});
    }));
  }
  put({.id = 1, .title = "changed", .last_seen_ms = 10});
  EXPECT_EQ(find("changed"), Ids{1});
  auto all = request("");
  EXPECT_GE(search.find(*tables, all)->hits, most_told_hits);
  all.all_hits = true;
  EXPECT_EQ(search.find(*tables, all)->hits, 1'001U);
}

TEST_F(IssueTables, TheCacheAgreesWithTheTablesAfterAnyHistory) {
  std::mt19937 random(7);
  const auto pick = [&](std::uint64_t below) { return random() % below; };
  IssueSearch walking({.bytes = 1});  // keeps nothing
  std::vector<std::uint64_t> removed;
  for (int step = 0; step < 150; ++step) {
    const auto id = 1 + pick(40);
    if (pick(6) == 0) {
      ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
        const auto key = buffer::Key().u64(id);
        if (const auto old = buffer::find_row<schema::IssueCounters>(batch, buffer::Table::issue_counters, key)) {
          batch.remove(buffer::Table::issues_by_last_seen, buffer::Key().u64(1 + id % 2).descending(static_cast<std::uint64_t>(old->last_seen_ms())).u64(id));
        }
        batch.remove(buffer::Table::issues, key);
        batch.remove(buffer::Table::issue_counters, key);
      }));
    } else {
      put({.id = id, .title = "t" + std::to_string(pick(5)), .last_seen_ms = static_cast<std::int64_t>(1 + pick(50)), .times_seen = pick(9), .project = 1 + id % 2});
    }
    if (pick(3) != 0) continue;
    for (const auto* query : {"", "t3", "timesSeen:>4", "error.type:t1"}) {
      ASSERT_EQ(find(query), find(walking, request(query))) << "step " << step << ", " << query;
    }
  }
}

TEST_F(IssueTables, PagesAreKeyedByValueAndId) {
  // Many of equal value: the id decides.
  for (std::uint64_t id = 1; id <= 10; ++id) put({.id = id, .title = "x", .last_seen_ms = id <= 6 ? 10 : 20});
  auto wanted = request("");
  wanted.most = 4;
  Ids all;
  for (;;) {
    const auto page = search.find(*tables, wanted);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->hits, 10U);
    for (const auto& issue : page->issues) all.push_back(issue.id);
    if (!page->has_next) break;
    wanted.value = page->issues.back().value;
    wanted.id = page->issues.back().id;
  }
  EXPECT_EQ(all, (Ids{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}));
  wanted.previous = true;
  wanted.value = 10;
  wanted.id = 4;
  const auto back = search.find(*tables, wanted);
  ASSERT_TRUE(back);
  Ids before;
  for (const auto& issue : back->issues) before.push_back(issue.id);
  EXPECT_EQ(before, (Ids{8, 7, 6, 5}));
  EXPECT_TRUE(back->has_previous);
  EXPECT_TRUE(back->has_next);
}

TEST_F(IssueTables, OnlyTheProjectsAskedForAreSearched) {
  put({.id = 1, .title = "x", .last_seen_ms = 10, .project = 1, .tags = {{"c", "red"}}});
  put({.id = 2, .title = "x", .last_seen_ms = 20, .project = 2, .tags = {{"c", "red"}}});
  put({.id = 3, .title = "x", .last_seen_ms = 30, .project = 3, .tags = {{"c", "red"}}});
  EXPECT_EQ(find(""), (Ids{2, 1}));
  EXPECT_EQ(find("c:red"), (Ids{2, 1}));
  auto wanted = request("!c:blue");
  wanted.scope.projects = {3};
  EXPECT_EQ(find(search, wanted), Ids{3});
  wanted.scope.projects = {};
  EXPECT_EQ(find(search, wanted), Ids{});
}

TEST_F(IssueTables, TagsWithOddBytesAndLengthsAreFound) {
  const std::string longest(300, 'v');
  put({.id = 1, .title = "x", .last_seen_ms = 10, .tags = {{"k", "a:b (c)"}, {"k2", "\xc3\xbc"}, {"k3", longest}}});
  EXPECT_EQ(find("k:\"a:b (c)\""), Ids{1});
  EXPECT_EQ(find("k2:\xc3\xbc"), Ids{1});
  EXPECT_EQ(find("k3:" + longest), Ids{1});
  EXPECT_EQ(find("k3:" + std::string(299, 'v')), Ids{});
  EXPECT_EQ(find("k:a"), Ids{});
}

// Kept in memory or walked, a text is found in what an issue shows and in what its events had, by every
// sort, alone and among other conditions.
TEST_F(IssueTables, TextsThatAnIssueDoesNotShowAreFoundBothWays) {
  for (std::uint64_t id = 1; id <= 40; ++id) {
    put({.id = id, .title = id % 10 == 0 ? "needle in the title" : "hay", .last_seen_ms = static_cast<std::int64_t>(id), .tags = {{"color", id % 2 == 0 ? "red" : "blue"}}});
    schema::IssueTexts texts;
    texts.set_frames(id % 4 == 0 ? "find_needle src/stack.py\n" : "find_hay src/stack.py\n");
    ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
      buffer::put_row(batch, buffer::Table::issue_texts, buffer::Key().u64(id), texts);
      auto row = *buffer::find_row<schema::Issue>(batch, buffer::Table::issues, buffer::Key().u64(id));
      row.set_text_signature(digest::signature_of(texts));
      buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(id), row);
    }));
  }
  IssueSearch walking({.bytes = 1});  // keeps nothing
  const Ids needles = {40, 36, 32, 30, 28, 24, 20, 16, 12, 10, 8, 4};
  for (auto* each : {&search, &walking}) {
    EXPECT_EQ(find(*each, request("needle")), needles);
    EXPECT_EQ(find(*each, request("NEEDLE color:red")), needles);
    EXPECT_EQ(find(*each, request("find_needle !color:blue")), (Ids{40, 36, 32, 28, 24, 20, 16, 12, 8, 4}));
    EXPECT_EQ(find(*each, request("find_needle OR title:needle*")), needles);
    EXPECT_EQ(find(*each, request("stack.function:find_needle")), (Ids{40, 36, 32, 28, 24, 20, 16, 12, 8, 4}));
    EXPECT_EQ(find(*each, request("!stack.function:find_needle color:red has:stack.filename")), (Ids{38, 34, 30, 26, 22, 18, 14, 10, 6, 2}));
    EXPECT_EQ(find(*each, request("(needle) color:blue")), Ids{});
    EXPECT_EQ(find(*each, request("find*stack.py is:unresolved")).size(), 40U);
    EXPECT_EQ(find(*each, request("ne")), (Ids{40, 30, 20, 10}));  // too short for what is not shown
  }
}

// Some issues pass by what is in memory, others only once their rows were read: each page has them in one order.
TEST_F(IssueTables, WhatMemoryDecidesAndWhatRowsDecideStandInOneOrder) {
  constexpr std::uint64_t count = 7'000;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> everywhere;  // times seen, id
  std::vector<std::pair<std::uint64_t, std::uint64_t>> red;
  std::mt19937 random(5);
  ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
    for (std::uint64_t id = 1; id <= count; ++id) {
      const bool titled = random() % 3 == 0;
      const bool framed = random() % 3 == 0;
      const bool in_red = random() % 2 == 0;
      TestIssue issue{.id = id, .title = titled ? "needle" : "hay", .last_seen_ms = static_cast<std::int64_t>(id), .times_seen = 1 + random() % 5'000};
      if (in_red) issue.tags.emplace_back("color", "red");
      put(batch, issue);
      schema::IssueTexts texts;
      texts.set_frames(framed ? "find_needle src/stack.py\n" : "find_hay src/stack.py\n");
      buffer::put_row(batch, buffer::Table::issue_texts, buffer::Key().u64(id), texts);
      auto row = *buffer::find_row<schema::Issue>(batch, buffer::Table::issues, buffer::Key().u64(id));
      row.set_text_signature(digest::signature_of(texts));
      buffer::put_row(batch, buffer::Table::issues, buffer::Key().u64(id), row);
      if (!titled && !framed) continue;
      everywhere.emplace_back(issue.times_seen, id);
      if (in_red) red.emplace_back(issue.times_seen, id);
    }
  }));
  std::ranges::sort(everywhere, std::greater());
  std::ranges::sort(red, std::greater());
  for (const auto& [query, expected] : {std::pair("needle", everywhere), std::pair("needle color:red", red)}) {
    for (const std::size_t from : {std::size_t{0}, std::size_t{40}, std::size_t{1'500}}) {
      auto asked = request(query);
      asked.sort = IssueSort::freq;
      asked.most = 25;
      asked.id = from;
      const auto page = search.find(*tables, asked);
      ASSERT_TRUE(page);
      ASSERT_EQ(page->issues.size(), 25U) << query << " from " << from;
      EXPECT_GE(page->hits, most_told_hits);
      for (std::size_t i = 0; i < page->issues.size(); ++i) ASSERT_EQ(page->issues[i].id, expected[from + i].second) << query << " from " << from;
    }
  }
}

TEST_F(IssueTables, ADeadlineEndsASearch) {
  put({.id = 1, .title = "x", .last_seen_ms = 10});
  IssueSearch impatient({}, std::chrono::milliseconds(0));
  const auto page = impatient.find(*tables, request(""));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().fault, Fault::unavailable);
}

TEST_F(IssueTables, SearchesAndWritesAtOnceAgree) {
  for (std::uint64_t id = 1; id <= 50; ++id) put({.id = id, .title = "x", .last_seen_ms = 1});
  std::jthread writer([&](const std::stop_token& stop) {
    for (std::int64_t round = 2; !stop.stop_requested(); ++round) {
      ASSERT_TRUE(tables->write([&](buffer::Batch& batch) {
        for (std::uint64_t id = 1; id <= 50; ++id) put(batch, {.id = id, .title = "x", .last_seen_ms = round});
      }));
    }
  });
  const auto look = [&] {
    for (int i = 0; i < 100; ++i) {
      const auto page = search.find(*tables, request(""));
      ASSERT_TRUE(page);
      ASSERT_EQ(page->issues.size(), 50U);
      // A batch moves all of them: no search may see half of one.
      ASSERT_EQ(page->issues.front().last_seen_ms, page->issues.back().last_seen_ms);
    }
  };
  std::jthread other(look);
  look();
}

// However little of them is kept, the texts of an issue read as its row has them.
TEST(IssueTextFields, ReadAsTheRowHasThem) {
  struct Case {
    std::string title, type, value;
  };
  const Case cases[] = {
      {"ValueError: Bad: input", "ValueError", "Bad: input"}, {"ValueError: Bad", "ValueError", "Bad input, of which the title has a part"},
      {"ValueError", "ValueError", ""},                       {"ValueError", "ValueError", "ValueError"},
      {"ValueError: ", "ValueError", ""},                     {"ValueError: Bad", "Value", "Error: Bad"},
      {"std: Error: Bad", "std: Error", "Bad"},               {"checkout failed", "", "checkout failed"},
      {"Odd: \x1e\x1f", "Odd", "\x1e\x1f"},               {"", "", ""},
  };
  for (const auto& each : cases) {
    schema::Issue issue;
    issue.set_title(each.title);
    issue.set_culprit("shop.cart in total");
    issue.set_metadata_json(boost::json::serialize(boost::json::object{{"type", each.type}, {"value", each.value}, {"filename", "Shop/Cart.py"}}));
    const auto rendered = render_texts(issue);
    const IssueTexts texts(rendered);
    const auto plain = [](std::string text) {
      std::erase_if(text, [](char c) { return c == '\x1e' || c == '\x1f'; });
      return lower_ascii(text);
    };
    EXPECT_EQ(texts.field(TextField::title), plain(each.title)) << each.title;
    EXPECT_EQ(texts.field(TextField::culprit), "shop.cart in total") << each.title;
    EXPECT_EQ(texts.field(TextField::error_type), plain(each.type)) << each.title;
    EXPECT_EQ(texts.field(TextField::error_value), plain(each.value)) << each.title;
    EXPECT_EQ(texts.field(TextField::other), "shop/cart.py ") << each.title;
  }
}

}  // namespace
}  // namespace picket::query

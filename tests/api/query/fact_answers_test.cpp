// Groups, series and conditions over generated facts, against plain loops over the same values: columns
// of one type and of several under one name, gaps, blocks that lie within the time asked for and across
// its ends.
#include "api/facts/store.h"
#include "api/query/fact_series.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

namespace picket::query {
namespace {

constexpr std::int64_t minute_ns = 60'000'000'000;
constexpr std::int64_t start_ns = 1'700'000'040'000'000'000;  // a whole minute

struct Fact {
  std::int64_t time_ns = 0;
  std::string color;                 // "": none
  std::string user;
  std::string environment;
  std::optional<double> duration;
  std::optional<std::int64_t> size;
  std::string mixed_text;            // one of these three, or none
  std::optional<std::int64_t> mixed_integer;
  std::optional<bool> mixed_boolean;

  std::string mixed() const {
    if (!mixed_text.empty()) return mixed_text;
    if (mixed_integer) return std::to_string(*mixed_integer);
    return mixed_boolean ? (*mixed_boolean ? "true" : "false") : "";
  }
};

using Wanted = std::function<bool(const Fact&)>;

class FactAnswers : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = buffer::Tables::open({.path = dir_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
    ASSERT_TRUE(opened);
    tables_ = *std::move(opened);
    std::mt19937_64 random(21);
    for (int batch = 0; batch < 6; ++batch) {
      facts::FactRows rows;
      // Blocks of different shapes: whole, with gaps, without some columns, in a jumble of times.
      for (int i = 0; i < 700 + batch * 300; ++i) add(rows, random, batch);
      ASSERT_TRUE(tables_->write([&](buffer::Batch& to) { facts::append_facts(to, rows, {}); }));
    }
  }

  void add(facts::FactRows& rows, std::mt19937_64& random, int batch) {
    const auto pick = [&](std::uint64_t below) { return random() % below; };
    Fact fact;
    fact.time_ns = start_ns + (batch == 3 ? static_cast<std::int64_t>(pick(120)) * minute_ns / 2
                                          : batch * 10 * minute_ns + static_cast<std::int64_t>(facts_.size() % 997) * 200'000'000);
    if (pick(10) != 0) fact.color = batch == 1 ? "red" : std::string(1, static_cast<char>('a' + pick(7)));
    fact.user = "id:" + std::to_string(pick(300));
    fact.environment = pick(4) == 0 ? "" : pick(2) == 0 ? "production" : "staging";
    if (batch != 4 && pick(5) != 0) fact.duration = static_cast<double>(pick(2'000'000)) / 1000.0;
    if (pick(3) == 0) fact.size = static_cast<std::int64_t>(pick(9)) - 4;
    switch (batch == 2 ? 0 : pick(5)) {
      case 0: fact.mixed_text = std::to_string(pick(5)); break;  // "3" and 3 are the same value to count
      case 1: fact.mixed_integer = static_cast<std::int64_t>(pick(5)); break;
      case 2: fact.mixed_boolean = pick(2) == 0; break;
      default: break;
    }
    rows.begin(facts::Dataset::transactions, 7, {facts_.size() + 1, 0, 0}, fact.time_ns);
    if (!fact.color.empty()) rows.text("color", fact.color);
    rows.text("user", fact.user);
    if (!fact.environment.empty()) rows.text("environment", fact.environment);
    if (fact.duration) rows.number("transaction.duration", *fact.duration);
    if (fact.size) rows.integer("size", *fact.size);
    if (!fact.mixed_text.empty()) rows.text("mixed", fact.mixed_text);
    if (fact.mixed_integer) rows.integer("mixed", *fact.mixed_integer);
    if (fact.mixed_boolean) rows.boolean("mixed", *fact.mixed_boolean);
    facts_.push_back(fact);
  }

  FactRequest request(std::string_view condition, std::vector<std::string> fields) const {
    FactRequest asked;
    asked.dataset = facts::Dataset::transactions;
    asked.projects = {{7, "shop", "shop"}};
    asked.from_ms = 0;
    asked.to_ms = start_ns / 1'000'000 * 2;
    asked.condition = *parse_condition(condition, fact_language(), Time{});
    for (const auto& field : fields) asked.fields.push_back(*parse_field_expression(field));
    asked.most = 10'000;
    asked.deadline = std::chrono::seconds(120);
    return asked;
  }

  // The facts by the text of what groups them.
  std::map<std::string, std::vector<const Fact*>> groups(const FactRequest& asked, const Wanted& wanted,
                                                         const std::function<std::string(const Fact&)>& key) const {
    std::map<std::string, std::vector<const Fact*>> groups;
    for (const auto& fact : facts_) {
      const bool in_time = fact.time_ns >= asked.from_ms * 1'000'000 && fact.time_ns < asked.to_ms * 1'000'000;
      const bool there = asked.environments.empty() || std::ranges::find(asked.environments, fact.environment) != asked.environments.end();
      if (in_time && there && wanted(fact)) groups[key(fact)].push_back(&fact);
    }
    return groups;
  }

  testing::TempDir dir_;
  std::unique_ptr<buffer::Tables> tables_;
  std::vector<Fact> facts_;
};

double number_of(const FactCell& cell) {
  return cell.kind == FactValue::Kind::integer ? static_cast<double>(cell.integer) : cell.number;
}

std::vector<double> durations(const std::vector<const Fact*>& facts) {
  std::vector<double> numbers;
  for (const auto* fact : facts) {
    if (fact->duration) numbers.push_back(*fact->duration);
  }
  std::ranges::sort(numbers);
  return numbers;
}

// count(), count_unique(user), count_unique(mixed), sum, min, max, p95(transaction.duration), count_if(color,equals,a),
// sum(size), last_seen()
const std::vector<std::string> functions = {"count()", "count_unique(user)", "count_unique(mixed)", "sum(transaction.duration)",
                                            "min(transaction.duration)", "max(transaction.duration)", "p95(transaction.duration)",
                                            "count_if(color,equals,a)", "sum(size)", "last_seen()"};

void expect_values(std::span<const FactCell> cells, const std::vector<const Fact*>& facts, const std::string& where) {
  std::set<std::string> users;
  std::set<std::string> mixed;
  double size = 0;
  double sum = 0;
  std::size_t of_color_a = 0;
  std::int64_t last_ns = 0;
  for (const auto* fact : facts) {
    users.insert(fact->user);
    if (!fact->mixed().empty()) mixed.insert(fact->mixed());
    size += static_cast<double>(fact->size.value_or(0));
    sum += fact->duration.value_or(0);
    of_color_a += fact->color == "a" ? 1 : 0;
    last_ns = std::max(last_ns, fact->time_ns);
  }
  const auto sorted = durations(facts);
  ASSERT_EQ(cells.size(), functions.size()) << where;
  EXPECT_EQ(number_of(cells[0]), static_cast<double>(facts.size())) << where;
  EXPECT_EQ(number_of(cells[1]), static_cast<double>(users.size())) << where;
  EXPECT_EQ(number_of(cells[2]), static_cast<double>(mixed.size())) << where;
  EXPECT_NEAR(number_of(cells[3]), sum, 1e-6 * (1 + sum)) << where;
  if (sorted.empty()) {
    for (const std::size_t i : {4, 5, 6}) EXPECT_EQ(cells[i].kind, FactValue::Kind::none) << where;
  } else {
    EXPECT_EQ(number_of(cells[4]), sorted.front()) << where;
    EXPECT_EQ(number_of(cells[5]), sorted.back()) << where;
    const double at = 0.95 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, sorted.size() - 1);
    EXPECT_NEAR(number_of(cells[6]), sorted[below] + (sorted[above] - sorted[below]) * (at - std::floor(at)), 1e-9) << where;
  }
  EXPECT_EQ(number_of(cells[7]), static_cast<double>(of_color_a)) << where;
  EXPECT_EQ(number_of(cells[8]), size) << where;
  EXPECT_EQ(cells[9].integer, last_ns / 1'000'000) << where;
}

struct Question {
  std::string condition;
  Wanted wanted;
};

const std::vector<Question>& questions() {
  static const std::vector<Question> all = {
      {"", [](const Fact&) { return true; }},
      {"color:a", [](const Fact& fact) { return fact.color == "a"; }},
      {"!color:a", [](const Fact& fact) { return fact.color != "a"; }},
      {"has:color", [](const Fact& fact) { return !fact.color.empty(); }},
      {"!has:color user:*7", [](const Fact& fact) { return fact.color.empty() && fact.user.ends_with('7'); }},
      {"color:[b, red]", [](const Fact& fact) { return fact.color == "b" || fact.color == "red"; }},
      {"transaction.duration:>500", [](const Fact& fact) { return fact.duration && *fact.duration > 500; }},
      {"size:<=-2 OR color:c", [](const Fact& fact) { return (fact.size && *fact.size <= -2) || fact.color == "c"; }},
      {"mixed:3", [](const Fact& fact) { return fact.mixed() == "3"; }},
      {"color:nothing", [](const Fact&) { return false; }},
  };
  return all;
}

TEST_F(FactAnswers, GroupsAgreeWithPlainLoops) {
  const std::pair<std::vector<std::string>, std::function<std::string(const Fact&)>> keys[] = {
      {{}, [](const Fact&) { return std::string(); }},
      {{"color"}, [](const Fact& fact) { return fact.color + "|"; }},
      {{"color", "environment"}, [](const Fact& fact) { return fact.color + "|" + fact.environment + "|"; }},
      {{"user"}, [](const Fact& fact) { return fact.user + "|"; }},
      {{"size"}, [](const Fact& fact) { return (fact.size ? std::to_string(*fact.size) : "") + "|"; }},
  };
  const std::pair<std::int64_t, std::int64_t> times[] = {{0, start_ns * 2}, {start_ns + 5 * minute_ns, start_ns + 31 * minute_ns}};
  const auto snapshot = tables_->snapshot();
  for (const auto& question : questions()) {
    for (const auto& [fields, key] : keys) {
      for (const auto& [from_ns, to_ns] : times) {
        auto all = fields;
        all.insert(all.end(), functions.begin(), functions.end());
        auto asked = request(question.condition, all);
        asked.from_ms = from_ns / 1'000'000;
        asked.to_ms = to_ns / 1'000'000;
        if (question.condition == "has:color") asked.environments = {"production", ""};
        const auto page = find_facts(snapshot, asked);
        ASSERT_TRUE(page) << page.error().detail;
        auto expected = groups(asked, question.wanted, key);
        if (fields.empty() && expected.empty()) expected[""] = {};  // one row of nothing
        ASSERT_EQ(page->rows.size(), expected.size()) << question.condition << " by " << fields.size();
        for (const auto& row : page->rows) {
          std::string own;
          for (std::size_t i = 0; i < fields.size(); ++i)
            own += (row.cells[i].kind == FactValue::Kind::integer ? std::to_string(row.cells[i].integer) : row.cells[i].text) + "|";
          ASSERT_TRUE(expected.contains(own)) << own;
          expect_values(std::span(row.cells).subspan(fields.size()), expected.at(own), question.condition + ": " + own);
        }
      }
    }
  }
}

TEST_F(FactAnswers, SeriesAgreeWithPlainLoops) {
  const auto snapshot = tables_->snapshot();
  for (const auto& question : questions()) {
    for (const std::int64_t minutes : {1, 7, 60, 600}) {
      SeriesRequest asked;
      asked.facts = request(question.condition, functions);
      asked.charted_functions = functions.size();
      asked.facts.from_ms = (start_ns - 3 * minute_ns) / 1'000'000;
      asked.facts.to_ms = (start_ns + 50 * minute_ns) / 1'000'000;
      asked.interval_ms = minutes * 60'000;
      const auto page = find_series(snapshot, asked);
      ASSERT_TRUE(page) << page.error().detail;
      const auto bucket = [&](const Fact& fact) { return (fact.time_ns / 1'000'000 - page->from_ms) / asked.interval_ms; };
      const auto expected = groups(asked.facts, question.wanted, [&](const Fact& fact) { return std::to_string(bucket(fact)); });
      ASSERT_EQ(page->series.size(), 1U);
      for (std::size_t i = 0; i < page->buckets; ++i) {
        std::vector<FactCell> cells;
        for (const auto& values : page->series.front().values) cells.push_back(values[i]);
        const auto found = expected.find(std::to_string(i));
        expect_values(cells, found == expected.end() ? std::vector<const Fact*>() : found->second,
                      question.condition + " every " + std::to_string(minutes) + ", bucket " + std::to_string(i));
      }
    }
  }
}

TEST_F(FactAnswers, TopSeriesAndTheOthersAgreeWithPlainLoops) {
  const auto snapshot = tables_->snapshot();
  for (const std::int64_t minutes : {3, 600}) {
    SeriesRequest asked;
    asked.facts = request("", {"color", "count()", "count_unique(user)"});
    asked.facts.sorts = {{*parse_field_expression("count()"), true}};
    asked.charted_functions = 2;
    asked.facts.from_ms = (start_ns + 2 * minute_ns) / 1'000'000;
    asked.facts.to_ms = (start_ns + 50 * minute_ns) / 1'000'000;
    asked.interval_ms = minutes * 60'000;
    asked.top = 3;
    const auto page = find_series(snapshot, asked);
    ASSERT_TRUE(page) << page.error().detail;
    ASSERT_EQ(page->series.size(), 4U);
    std::set<std::string> top;
    for (std::size_t i = 0; i < 3; ++i) top.insert(page->series[i].group[0].text);
    EXPECT_TRUE(page->series[3].others);
    for (const auto& series : page->series) {
      const auto own = series.others ? std::string("others") : series.group[0].text;
      const auto expected = groups(asked.facts, [](const Fact&) { return true; }, [&](const Fact& fact) {
        return (top.contains(fact.color) ? fact.color : "others") + "|" + std::to_string((fact.time_ns / 1'000'000 - page->from_ms) / asked.interval_ms);
      });
      for (std::size_t i = 0; i < page->buckets; ++i) {
        const auto found = expected.find(own + "|" + std::to_string(i));
        std::set<std::string> users;
        if (found != expected.end()) {
          for (const auto* fact : found->second) users.insert(fact->user);
        }
        EXPECT_EQ(number_of(series.values[0][i]), found == expected.end() ? 0.0 : static_cast<double>(found->second.size())) << own << i;
        EXPECT_EQ(number_of(series.values[1][i]), static_cast<double>(users.size())) << own << i;
      }
    }
  }
}

// Values that a block has and no row that is asked for are no others.
TEST_F(FactAnswers, TopSeriesHaveNoOthersWhereAllRowsAreOfTheTop) {
  SeriesRequest asked;
  asked.facts = request("color:[a,b]", {"color", "count()"});
  asked.facts.sorts = {{*parse_field_expression("count()"), true}};
  asked.facts.from_ms = start_ns / 1'000'000;
  asked.facts.to_ms = (start_ns + 50 * minute_ns) / 1'000'000;
  asked.charted_functions = 1;
  asked.interval_ms = 60'000;
  asked.top = 2;
  const auto page = find_series(tables_->snapshot(), asked);
  ASSERT_TRUE(page) << page.error().detail;
  std::set<std::string> shown;
  for (const auto& series : page->series) shown.insert(series.others ? "others" : series.group[0].text);
  EXPECT_EQ(shown, (std::set<std::string>{"a", "b"}));
}

// Beyond 20,000 numbers of a group a percentile is within 0.4 % of the exact one, whatever the order of the numbers.
TEST(FactPercentiles, AreCloseWhereThereIsTooMuchToKeep) {
  testing::TempDir dir;
  auto tables = *buffer::Tables::open({.path = dir / "tables.mdb", .map_bytes = std::uint64_t{1} << 30});
  constexpr std::size_t batches = 20;
  constexpr std::size_t batch_rows = 10'000;
  for (std::size_t batch = 0; batch < batches; ++batch) {
    facts::FactRows rows;
    for (std::size_t i = 0; i < batch_rows; ++i) {
      const auto at = batch * batch_rows + i;
      rows.begin(facts::Dataset::transactions, 7, {at + 1, 0, 0}, start_ns);
      rows.number("transaction.duration", static_cast<double>(at));  // early and late numbers differ most
    }
    ASSERT_TRUE(tables->write([&](buffer::Batch& to) { facts::append_facts(to, rows, {}); }));
  }
  FactRequest asked;
  asked.dataset = facts::Dataset::transactions;
  asked.projects = {{7, "shop", "shop"}};
  asked.to_ms = start_ns / 1'000'000 * 2;
  for (const auto* field : {"p50(transaction.duration)", "p95(transaction.duration)", "count()", "avg(transaction.duration)"})
    asked.fields.push_back(*parse_field_expression(field));
  const auto page = find_facts(tables->snapshot(), asked);
  ASSERT_TRUE(page && page->rows.size() == 1);
  constexpr double all = batches * batch_rows;
  EXPECT_NEAR(page->rows[0].cells[0].number / all, 0.5, 0.5 * 0.004);
  EXPECT_NEAR(page->rows[0].cells[1].number / all, 0.95, 0.95 * 0.004);
  EXPECT_EQ(page->rows[0].cells[2].integer, static_cast<std::int64_t>(all));
  EXPECT_NEAR(page->rows[0].cells[3].number, (all - 1) / 2, 1e-6 * all);
}

// Questions that are asked at once have a memory each: those that need too much say so, and the others get their answers.
TEST_F(FactAnswers, QuestionsAskedAtOnceFailEachByItsOwnMemory) {
  const auto snapshot = tables_->snapshot();
  auto modest = request("", {"color", "count()", "count_unique(user)", "p95(transaction.duration)"});
  auto greedy = request("", {"user", "color", "timestamp_precise", "count()", "count_unique(user)", "p95(transaction.duration)"});
  greedy.most_bytes = std::size_t{1} << 20;
  const auto alone = find_facts(snapshot, modest);
  ASSERT_TRUE(alone) << alone.error().detail;
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, is_greedy = i % 2 == 0] {
      const auto own = tables_->snapshot();
      for (int round = 0; round < 3; ++round) {
        const auto page = find_facts(own, is_greedy ? greedy : modest);
        if (page && page->rows.size() == alone->rows.size()) ++answered;
        if (!page && page.error().fault == Fault::too_large && page.error().detail.starts_with("The query needs more than 1 MB of memory.")) ++refused;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered, 9);
  EXPECT_EQ(refused, 9);
}

}  // namespace
}  // namespace picket::query

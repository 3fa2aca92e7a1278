// What is measured is a number, whatever attribute of the same name an SDK sends beside it.
#include "api/facts/store.h"
#include "api/query/fact_search.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {
namespace {

class Measures : public ::testing::Test {
 protected:
  // Five facts of 10 to 50, each with something else of that name.
  void add(facts::Dataset dataset, std::string_view name) {
    facts::FactRows rows;
    for (std::uint64_t i = 1; i <= 5; ++i) {
      rows.begin(dataset, 7, {i, 0, 0}, 1'000'000);
      rows.number(name, static_cast<double>(i * 10));
      if (i == 1) rows.text(name, "gold");
      if (i == 2) rows.text(name, "1000");
      if (i == 3) rows.integer(name, 7);
      if (i == 4) rows.boolean(name, true);
    }
    ASSERT_TRUE(tables_->write([&](buffer::Batch& batch) { facts::append_facts(batch, rows, {}); }));
  }
  FactPage ask(facts::Dataset dataset, const std::vector<std::string>& fields, std::string_view condition = "") const {
    FactRequest asked;
    asked.dataset = dataset;
    asked.projects = {{7, "shop", "shop"}};
    asked.to_ms = 1'000;
    asked.condition = *parse_condition(condition, fact_language(), Time{});
    for (const auto& field : fields) asked.fields.push_back(*parse_field_expression(field));
    auto page = find_facts(tables_->snapshot(), asked);
    EXPECT_TRUE(page) << page.error().detail;
    return page ? *std::move(page) : FactPage();
  }

  testing::TempDir dir_;
  std::unique_ptr<buffer::Tables> tables_ = *buffer::Tables::open({.path = dir_ / "tables.mdb", .map_bytes = std::uint64_t{1} << 28});
};

TEST_F(Measures, AreNumbersInSumsSearchesAndLists) {
  struct Measure {
    facts::Dataset dataset;
    std::string name;
  };
  for (const auto& [dataset, name] : {Measure{facts::Dataset::metrics, "value"}, Measure{facts::Dataset::spans, "span.duration"},
                                      Measure{facts::Dataset::spans, "span.self_time"}, Measure{facts::Dataset::transactions, "transaction.duration"}}) {
    tables_.reset();
    const testing::TempDir other;
    tables_ = *buffer::Tables::open({.path = other / "tables.mdb", .map_bytes = std::uint64_t{1} << 28});
    add(dataset, name);
    const auto sums = ask(dataset, {"sum(" + name + ")", "max(" + name + ")", "count_unique(" + name + ")"});
    ASSERT_EQ(sums.rows.size(), 1U) << name;
    EXPECT_EQ(sums.rows[0].cells[0].number, 150.0) << name;
    EXPECT_EQ(sums.rows[0].cells[1].number, 50.0) << name;
    EXPECT_EQ(sums.rows[0].cells[2].integer, 5) << name;
    EXPECT_EQ(ask(dataset, {name}, name + ":>25").rows.size(), 3U) << name;
    EXPECT_EQ(ask(dataset, {name}, name + ":20").rows.size(), 1U) << name;
    EXPECT_TRUE(ask(dataset, {name}, name + ":1000").rows.empty()) << name;
    const auto gold = ask(dataset, {name, "tags[" + name + ",string]"}, "tags[" + name + ",string]:gold");
    ASSERT_EQ(gold.rows.size(), 1U) << name;
    EXPECT_EQ(gold.rows[0].cells[0].number, 10.0) << name;
    EXPECT_EQ(gold.rows[0].cells[1].text, "gold") << name;
    tables_.reset();
  }
}

TEST_F(Measures, OfOtherNamesAreWhateverTheSdkSent) {
  add(facts::Dataset::logs, "value");
  EXPECT_EQ(ask(facts::Dataset::logs, {"value"}, "value:gold").rows.size(), 1U);
}

}  // namespace
}  // namespace picket::query

// Groups of facts and their aggregates, while the rows pass by.
//
// THREADS  Belongs to one question and its thread.
#pragma once

#include "api/query/aggregate_columns.h"
#include "api/query/answer_budget.h"
#include "api/query/group_numbers.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace picket::query {

class FactGroups {
 public:
  // `having` are conditions on aggregates. The budget outlives this.
  FactGroups(const FactRequest& request, std::vector<Condition> having, AnswerBudget& budget)
      : request_(request), having_(std::move(having)), budget_(budget), columns_(request.dataset) {}

  // Fault::malformed for what makes no sense.
  Result<void> prepare();
  // Rows of a block. False when there is no room for more.
  bool add_rows(BlockFields& fields, std::span<const std::uint32_t> rows);
  Result<FactPage> page();

 private:
  struct Group {
    std::vector<FactCell> keys;
    std::vector<Accumulator> sums;
  };
  struct Row {
    std::vector<FactCell> keys;  // by sort
    std::vector<FactCell> cells;
  };

  Group* find_or_add(BlockFields& fields, std::size_t row);
  bool before(const Row& a, const Row& b) const;
  std::vector<Row> rows() const;

  const FactRequest& request_;
  const std::vector<Condition> having_;
  AnswerBudget& budget_;
  AggregateColumns columns_;
  std::vector<std::size_t> shown_;  // columns
  std::vector<std::size_t> conditions_;
  std::vector<std::size_t> sorts_;
  std::unordered_map<std::string, Group> groups_;
  GroupNumbers numbers_;
  std::string key_;
  bool overflown_ = false;
};

}  // namespace picket::query

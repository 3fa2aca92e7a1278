// One question to the facts: a list of rows, or groups with aggregates.
//
// Blocks are passed over by their time and their summaries; of the others only the columns that the
// question names are read. A list keeps no more than its page (and what precedes it), groups at most
// 10,000. The question fails when its deadline passes or when it needs more memory than it may have.
//
// THREADS  find_facts() from any thread; it holds the reader's snapshot as long as it runs.
#pragma once

#include "api/query/aggregates.h"
#include "api/query/answer_budget.h"
#include "api/query/equation.h"
#include "api/query/fact_filter.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace picket::query {

struct FactSort {
  FieldExpression field;
  bool descending = true;
};

struct FactRequest {
  facts::Dataset dataset = facts::Dataset::spans;
  std::vector<FactProject> projects;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;  // excluded
  Time now{};
  std::vector<std::string> environments;  // any of them; "" for none; no entry: all
  std::vector<FieldExpression> fields;
  std::vector<Equation> equations;  // sorts name one by its text
  Condition condition;
  std::vector<FactSort> sorts;  // none: newest first, or as found when aggregated
  std::size_t offset = 0;
  std::size_t most = 100;
  std::chrono::milliseconds deadline = std::chrono::seconds(8);
  std::size_t most_bytes = most_answer_bytes;

  bool aggregated() const;  // by its fields and equations
};

struct FactCell {
  FactValue::Kind kind = FactValue::Kind::none;
  std::int64_t integer = 0;
  double number = 0;
  std::string text;
};
FactCell cell_of(const FactValue& value);
// Below, equal to or above zero. What is not there comes first, then numbers, then text.
int compare(const FactCell& a, const FactCell& b);

struct FoundFact {
  std::vector<FactCell> cells;  // as request.fields, then its equations
  const FactProject* project = nullptr;  // of the request; null for groups
  facts::Place place;
  std::int64_t time_ns = 0;
};

struct FactPage {
  std::vector<FoundFact> rows;
  bool more = false;
  bool aggregated = false;
  std::vector<std::string> types;  // as cells: string, number, duration, date …
};

constexpr std::size_t most_groups = 10'000;

// Fault::malformed for what makes no sense (400), Fault::unavailable past the deadline,
// Fault::too_large for what needs too much memory.
Result<FactPage> find_facts(const buffer::Reader& reader, const FactRequest& request);

// Calls `visit` with every matching row, newest blocks first, until it returns false or the deadline
// or the memory of a block's columns passes. For what is neither list nor group: traces, attributes.
using FactVisit = std::function<bool(BlockFields& fields, std::size_t row)>;
Result<void> for_each_fact(const buffer::Reader& reader, const FactRequest& request, const FactVisit& visit);

// The type and unit that an answer's meta tells of a plain field.
std::string field_meta_type(const FieldExpression& field);
std::optional<std::string> field_meta_unit(std::string_view meta_type, std::string_view field);

}  // namespace picket::query

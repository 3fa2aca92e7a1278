// The fields of a query read out of a block of facts: columns by their public names and aliases, and
// what is no column (time, project, place, issue).
//
// THREADS  A BlockFields belongs to one thread; it and its values live no longer than the block.
#pragma once

#include "api/facts/block.h"
#include "api/query/answer_budget.h"
#include "api/query/condition.h"
#include "api/query/fact_issues.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

// Of one fact. `array` is JSON text.
struct FactValue {
  enum class Kind : std::uint8_t { none, text, array, integer, number, boolean };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  // of boolean, too
  double number = 0;
  std::string_view text;

  bool there() const { return kind != Kind::none; }
  std::optional<double> as_number() const;
  std::string as_text() const;
};

// A field by row, where rows share their values.
struct CodedField {
  std::span<const std::uint32_t> codes;  // by row, into `values`: of the column, or `own_codes`
  std::vector<FactValue> values;
  std::vector<std::uint32_t> own_codes;

  CodedField() = default;
  CodedField(CodedField&&) = default;  // vectors that move keep their place
  CodedField& operator=(CodedField&&) = default;

  const FactValue& at(std::size_t row) const { return values[codes[row]]; }
};

struct FactProject {
  std::uint64_t id = 0;
  std::string slug;
  std::string name;
};

// 32 hex digits that name a fact's place; and back.
std::string render_item_id(facts::Dataset dataset, const facts::Place& place);
struct ItemId {
  facts::Dataset dataset = facts::Dataset::spans;
  facts::Place place;
};
std::optional<ItemId> parse_item_id(std::string_view text);

class BlockFields {
 public:
  // What is read counts in the budget, if there is one, until the end of this.
  BlockFields(facts::Dataset dataset,
              const FactProject& project,
              const facts::BlockView& block,
              FactIssues& issues,
              AnswerBudget* budget = nullptr)
      : dataset_(dataset), project_(project), block_(block), issues_(issues), budget_(budget) {}
  ~BlockFields() {
    if (budget_ != nullptr) budget_->give_back(taken_);
  }
  BlockFields(const BlockFields&) = delete;
  BlockFields& operator=(const BlockFields&) = delete;

  // By row; REQUIRES: no function. All rows of a block that cannot be read, or for which there is no
  // memory, are without a value.
  const std::vector<FactValue>& values(const FieldExpression& field);
  // The same in forms that are quicker to read for many rows; bounded and lasting as values() is.
  const CodedField& coded(const FieldExpression& field);
  // nullptr unless the field is one column of texts here, or none: then each value is there once.
  const CodedField* dictionary(const FieldExpression& field);
  std::span<const double> numbers(const FieldExpression& field);  // by row; NaN: none
  // By row: what stands for the value where distinct ones are counted (facts::distinct_hash() of its text), or facts::no_hash.
  std::span<const std::int64_t> hashes(const FieldExpression& field);
  bool has(const FieldExpression& field) const;  // false: no row has a value
  // Of the frames of the issue that the row is an event of; of no frames, if it is of none.
  bool frames_pass(std::size_t row, const FrameTest& test);
  std::int64_t time_ns(std::size_t row);
  facts::Place place(std::size_t row);
  std::size_t rows() const { return block_.rows(); }
  const facts::BlockView& block() const { return block_; }
  facts::Dataset dataset() const { return dataset_; }
  const FactProject& project() const { return project_; }

 private:
  // The columns that hold a field's values in this block.
  struct Sources {
    std::size_t count = 0;
    const facts::ColumnSummary* only = nullptr;  // of one
  };
  Sources sources_of(const FieldExpression& field) const;
  const facts::ColumnValues* column(std::string_view name, facts::ValueType type);
  CodedField code_values(const std::vector<FactValue>& values);
  std::vector<double> numbers_of(const facts::ColumnValues& column);
  std::vector<std::int64_t> stored_hashes();
  bool take(std::size_t bytes);
  void fill_column(std::string_view name, FieldType type, std::vector<FactValue>& values);
  bool fill_special(const FieldExpression& field, std::vector<FactValue>& values);
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }

  facts::Dataset dataset_;
  const FactProject& project_;
  const facts::BlockView& block_;
  FactIssues& issues_;
  AnswerBudget* const budget_;
  std::size_t taken_ = 0;
  std::map<std::string, std::vector<FactValue>> loaded_;  // by the field's text
  std::map<std::string, std::optional<CodedField>> dictionaries_;
  std::map<std::string, CodedField> coded_;
  std::map<std::string, std::vector<double>> numbers_;
  std::map<std::string, std::vector<std::int64_t>> hashes_;
  std::map<std::pair<std::string, facts::ValueType>, facts::ColumnValues> columns_;
  std::deque<std::string> kept_;
  std::array<const facts::ColumnValues*, 4> fixed_{};  // @time, @sequence, @item, @index
};

}  // namespace picket::query

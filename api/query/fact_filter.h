// A condition over facts: which blocks may hold a match, and which rows of one do.
//
// A row without a field matches its negations (`!key:value`, `!has:key`) and nothing else. Values are
// compared as what the row holds: numbers (durations in milliseconds, `1.5s` and `200ms` are read),
// booleans, text (`*` is a wildcard), any entry of an array.
//
// THREADS  A FactFilter is immutable once made.
#pragma once

#include "api/query/block_fields.h"
#include "api/query/pattern.h"
#include "buffer/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace picket::query {

class FactFilter {
 public:
  // Fault::malformed for a function or a date that cannot be read.
  static Result<FactFilter> compile(const Condition& condition, facts::Dataset dataset, Time now);

  // False when no row of the block can match: its summaries say so.
  bool may_match(const facts::BlockView& block, const FactProject& project) const {
    return may_match(root_, block, project);
  }
  // Whether every row of every block matches.
  bool passes_all() const { return root_.kind == ConditionKind::all && root_.parts.empty() && !root_.negated; }
  // Clears the mask where a row does not match. REQUIRES: one entry a row.
  void select(BlockFields& fields, std::vector<std::uint8_t>& mask) const;

 private:
  struct Value {
    std::string text;
    Pattern pattern;
    std::optional<double> number;
    std::optional<bool> boolean;
    bool empty = false;  // "" asks for rows without the field
  };
  struct Node {
    ConditionKind kind = ConditionKind::all;
    bool negated = false;
    std::vector<Node> parts;
    FieldExpression field;
    Operator op = Operator::equal;
    std::vector<Value> values;
    std::vector<FieldExpression> texts;  // of free text: where it is looked for
    FrameTest in_frames;                 // of free text and parts of frames, of errors
    std::optional<std::int64_t> from_ns;  // of a date
    std::optional<std::int64_t> to_ns;
  };

  static Result<Node> compile_node(const Condition& condition, facts::Dataset dataset, Time now);
  static Result<void> compile_date(Node& node, const Condition& condition, Time now);
  static FrameTest test_of_part(const Node& node);
  bool may_match(const Node& node, const facts::BlockView& block, const FactProject& project) const;
  bool column_may_match(const Node& node, const facts::ColumnSummary& column) const;
  void evaluate(const Node& node, BlockFields& fields, std::vector<std::uint8_t>& result) const;
  void evaluate_filter(const Node& node, BlockFields& fields, std::vector<std::uint8_t>& result) const;
  static bool matches(const Node& node, const Value& value, const FactValue& row);

  Node root_;
  facts::Dataset dataset_ = facts::Dataset::spans;
};

}  // namespace picket::query

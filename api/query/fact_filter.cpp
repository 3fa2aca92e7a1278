#include "api/query/fact_filter.h"

#include "api/facts/bloom.h"
#include "api/query/fact_fields.h"
#include "api/query/issue_free_text.h"
#include "api/query/issue_stack_terms.h"
#include "api/query/search_values.h"
#include "relay/protocol/hex.h"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace picket::query {
namespace {

using facts::Dataset;
using facts::ValueType;
using Kind = FactValue::Kind;

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::size_t summary_text_bytes = 32;

bool is_date_field(const FieldExpression& field) {
  return !field.explicit_tag && (field.name == "timestamp" || field.name == "time");
}

std::vector<FieldExpression> text_fields(Dataset dataset) {
  std::vector<std::string_view> names;
  switch (dataset) {
    case Dataset::errors: 
      names = {"title", "message", "culprit", "error.type", "error.value", "url", "user.email", "user.username", "user.id", "user.ip"};
      break;
    case Dataset::transactions: names = {"transaction", "url", "user.email", "user.username", "user.id", "user.ip"}; break;
    case Dataset::spans: names = {"span.description", "span.name"}; break;
    case Dataset::logs: names = {"message"}; break;
    case Dataset::metrics: names = {"metric.name"}; break;
  }
  std::vector<FieldExpression> fields;
  for (const auto name : names) {
    auto& field = fields.emplace_back();
    field.text = field.name = name;
  }
  return fields;
}

bool compare(double row, Operator op, double value) {
  switch (op) {
    case Operator::equal: return row == value;
    case Operator::not_equal: return row != value;
    case Operator::less: return row < value;
    case Operator::less_or_equal: return row <= value;
    case Operator::greater: return row > value;
    case Operator::greater_or_equal: return row >= value;
  }
  std::abort();
}

std::optional<std::string> raw_hex(std::string_view text) {
  std::string raw;
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const auto high = relay::hex_digit(digits[i]);
    const auto low = relay::hex_digit(digits[i + 1]);
    if (!high || !low) return std::nullopt;
    raw += static_cast<char>(*high << 4 | *low);
  }
  return raw;
}

std::string without_hyphens_if_id(std::string_view text) {
  if (text.size() != 36) return std::string(text);
  const auto raw = raw_hex(text);
  return raw && raw->size() == 16 ? relay::render_hex(*raw) : std::string(text);
}

// One verdict a row; texts that rows share are judged once.
template <class Verdict>
void judge(BlockFields& fields, const FieldExpression& field, std::vector<std::uint8_t>& result, Verdict verdict) {
  if (const auto* texts = fields.dictionary(field)) {
    std::vector<std::uint8_t> by_code;
    by_code.reserve(texts->values.size());
    for (const auto& value : texts->values) by_code.push_back(verdict(value) ? 1 : 0);
    for (std::size_t row = 0; row < result.size(); ++row) result[row] = by_code[texts->codes[row]];
    return;
  }
  const auto& rows = fields.values(field);
  for (std::size_t row = 0; row < result.size(); ++row) result[row] = verdict(rows[row]) ? 1 : 0;
}

}  // namespace

Result<FactFilter> FactFilter::compile(const Condition& condition, Dataset dataset, Time now) {
  FactFilter filter;
  auto root = compile_node(condition, dataset, now);
  if (!root) return root.error();
  filter.root_ = *std::move(root);
  filter.dataset_ = dataset;
  return filter;
}

Result<void> FactFilter::compile_date(Node& node, const Condition& condition, Time now) {
  const auto& text = condition.values.front().text;
  if (condition.values.size() > 1) return refuse(condition, node.field.text + ": a date cannot be a list");
  if (const auto relative = parse_relative_date(text, now)) {
    (relative->newer ? node.from_ns : node.to_ns) = relative->point_ms * ns_per_ms;
    return {};
  }
  const auto date = parse_date(text);
  if (!date)
    return refuse(condition, node.field.text + ": '" + text + "' is not a date (-24h, +14d, 2024-01-31 or 2024-01-31T12:00:00Z)");
  const auto from = date->from_ms * ns_per_ms;
  const auto to = date->to_ms * ns_per_ms;
  switch (condition.op) {
    case Operator::less: node.to_ns = from; break;
    case Operator::less_or_equal: node.to_ns = to; break;
    case Operator::greater: node.from_ns = to; break;
    case Operator::greater_or_equal: node.from_ns = from; break;
    case Operator::not_equal:
    case Operator::equal:
      node.from_ns = from;
      node.to_ns = to;
  }
  return {};
}

Result<FactFilter::Node> FactFilter::compile_node(const Condition& condition, Dataset dataset, Time now) {
  Node node;
  node.kind = condition.kind;
  node.negated = condition.negated;
  node.field = condition.field;
  node.op = condition.op;
  if (condition.field.is_function())
    return refuse(condition, "Conditions on " + condition.field.text + " cannot stand within OR or be negated.");
  if (condition.kind == ConditionKind::is) return refuse(condition, "is: asks for the state of issues, which is not searched here.");
  for (const auto& part : condition.parts) {
    auto compiled = compile_node(part, dataset, now);
    if (!compiled) return compiled.error();
    node.parts.push_back(*std::move(compiled));
  }
  if (node.kind == ConditionKind::filter && is_date_field(node.field)) {
    if (auto read = compile_date(node, condition, now); !read) return read.error();
    if (condition.op == Operator::not_equal) node.negated = !node.negated;
    return node;
  }
  if (node.op == Operator::not_equal) {
    node.op = Operator::equal;
    node.negated = !node.negated;
  }
  const bool free_text = node.kind == ConditionKind::free_text;
  const bool part_of_frame = dataset == Dataset::errors && !node.field.explicit_tag && names_part_of_frame(node.field.name) && !free_text;
  if (free_text) node.texts = text_fields(dataset);
  for (const auto& value : condition.values) {
    auto text = without_hyphens_if_id(value.text);
    auto number = value.number;
    if (!number) number = parse_number(text);
    if (!number) number = parse_duration(text);
    const auto boolean = parse_boolean(text);
    Pattern pattern(text, free_text || part_of_frame);
    const bool empty = text.empty();
    node.values.push_back({std::move(text), std::move(pattern), number, boolean, empty});
  }
  if (part_of_frame) {
    node.in_frames = test_of_part(node);
    node.kind = ConditionKind::filter;
  } else if (free_text && dataset == Dataset::errors && !sequences_of(node.values.front().pattern).empty()) {
    // As with issues: shorter texts are not looked for in frames.
    node.in_frames = [pattern = node.values.front().pattern](std::string_view frames) { return pattern.found_in_lower(frames); };
  }
  return node;
}

// An event has the frames of its issue: facts have none of their own.
FrameTest FactFilter::test_of_part(const Node& node) {
  if (node.kind == ConditionKind::has) return [](std::string_view frames) { return !frames.empty(); };
  return [key = node.field.name, values = node.values](std::string_view frames) {
    return std::ranges::any_of(values, [&](const Value& value) {
      return value.empty ? frames.empty() : any_frame_matches(key, frames, value.pattern);
    });
  };
}

bool FactFilter::column_may_match(const Node& node, const facts::ColumnSummary& column) const {
  for (const auto& value : node.values) {
    if (value.empty) return true;
    switch (column.type) {
      case ValueType::integer:
      case ValueType::number: {
        if (!value.number) break;
        const bool whole = column.type == ValueType::integer;
        const double least = whole ? static_cast<double>(column.least) : column.least_number;
        const double greatest = whole ? static_cast<double>(column.greatest) : column.greatest_number;
        const bool below = node.op == Operator::less || node.op == Operator::less_or_equal;
        const bool above = node.op == Operator::greater || node.op == Operator::greater_or_equal;
        if ((below || *value.number <= greatest) && (above || *value.number >= least)) return true;
        break;
      }
      case ValueType::id: {
        if (value.pattern.has_wildcard()) return true;
        const auto raw = raw_hex(value.text);
        if (raw && facts::Bloom::may_hold(column.bloom, *raw)) return true;
        break;
      }
      case ValueType::text: {
        if (node.op != Operator::equal || value.pattern.has_wildcard()) return true;
        const auto plain = std::string_view(value.pattern.plain());
        if (plain >= column.least_text && plain.substr(0, summary_text_bytes) <= column.greatest_text)
          return true;
        break;
      }
      case ValueType::boolean:
      case ValueType::array: return true;
    }
  }
  return false;
}

bool FactFilter::may_match(const Node& node, const facts::BlockView& block, const FactProject& project) const {
  if (node.negated) return true;
  switch (node.kind) {
    case ConditionKind::all:
      return std::ranges::all_of(node.parts, [&](const Node& part) { return may_match(part, block, project); });
    case ConditionKind::any:
      return std::ranges::any_of(node.parts, [&](const Node& part) { return may_match(part, block, project); });
    case ConditionKind::free_text:
    case ConditionKind::is:
    case ConditionKind::has: return true;
    case ConditionKind::filter: break;
  }
  if (node.in_frames) return true;
  if (node.from_ns && block.latest_ns() < *node.from_ns) return false;
  if (node.to_ns && block.earliest_ns() >= *node.to_ns) return false;
  if (special_of(dataset_, node.field) != SpecialField::none) return true;
  if (std::ranges::any_of(node.values, [](const Value& value) { return value.empty; })) return true;
  auto names = columns_of_field(dataset_, node.field.name);
  for (const auto& column : block.columns()) {
    if (std::ranges::find(names, column.name) != names.end() && column_may_match(node, column)) return true;
  }
  return false;
}

bool FactFilter::matches(const Node& node, const Value& value, const FactValue& row) {
  if (value.empty) return row.as_text().empty();
  if (!row.there()) return false;
  if (node.op != Operator::equal) {
    const auto number = row.as_number();
    return number && value.number && compare(*number, node.op, *value.number);
  }
  switch (row.kind) {
    case Kind::integer:
    case Kind::number: return value.number && *row.as_number() == *value.number;
    case Kind::boolean: return value.boolean && *value.boolean == (row.integer != 0);
    case Kind::text: return value.pattern.matches(row.text);
    case Kind::array: {
      boost::json::error_code error;
      const auto array = boost::json::parse(row.text, error);
      if (error || !array.is_array()) return false;
      return std::ranges::any_of(array.get_array(), [&](const boost::json::value& each) {
        if (each.is_string()) return value.pattern.matches(each.get_string());
        return value.pattern.matches(boost::json::serialize(each));
      });
    }
    case Kind::none: break;
  }
  return false;
}

void FactFilter::evaluate_filter(const Node& node, BlockFields& fields, std::vector<std::uint8_t>& result) const {
  if (node.in_frames) {
    for (std::size_t row = 0; row < result.size(); ++row) result[row] = fields.frames_pass(row, node.in_frames) ? 1 : 0;
    return;
  }
  if (node.from_ns || node.to_ns) {
    for (std::size_t row = 0; row < result.size(); ++row) {
      const auto at = fields.time_ns(row);
      result[row] = (!node.from_ns || at >= *node.from_ns) && (!node.to_ns || at < *node.to_ns) ? 1 : 0;
    }
    return;
  }
  judge(fields, node.field, result, [&](const FactValue& row) {
    return std::ranges::any_of(node.values, [&](const Value& value) { return matches(node, value, row); });
  });
}

void FactFilter::evaluate(const Node& node, BlockFields& fields, std::vector<std::uint8_t>& result) const {
  switch (node.kind) {
    case ConditionKind::all:
    case ConditionKind::any: {
      const bool all = node.kind == ConditionKind::all;
      std::fill(result.begin(), result.end(), all ? 1 : 0);
      std::vector<std::uint8_t> part(result.size());
      for (const auto& each : node.parts) {
        evaluate(each, fields, part);
        for (std::size_t row = 0; row < result.size(); ++row)
          result[row] = all ? static_cast<std::uint8_t>(result[row] & part[row])
                            : static_cast<std::uint8_t>(result[row] | part[row]);
        // Nothing is left to be told apart: further columns need not be read.
        if (std::ranges::all_of(result, [&](std::uint8_t verdict) { return verdict == (all ? 0 : 1); })) break;
      }
      break;
    }
    case ConditionKind::has: {
      judge(fields, node.field, result, [](const FactValue& row) { return row.there() && !row.as_text().empty(); });
      break;
    }
    case ConditionKind::free_text: {
      std::fill(result.begin(), result.end(), std::uint8_t{0});
      std::vector<std::uint8_t> part(result.size());
      const auto& pattern = node.values.front().pattern;
      for (const auto& field : node.texts) {
        if (!fields.has(field)) continue;
        judge(fields, field, part, [&](const FactValue& row) { return row.there() && pattern.found_in_lower(lower_ascii(row.text)); });
        for (std::size_t row = 0; row < result.size(); ++row) result[row] = static_cast<std::uint8_t>(result[row] | part[row]);
      }
      for (std::size_t row = 0; node.in_frames && row < result.size(); ++row) {
        if (result[row] == 0 && fields.frames_pass(row, node.in_frames)) result[row] = 1;
      }
      break;
    }
    case ConditionKind::filter: evaluate_filter(node, fields, result); break;
    case ConditionKind::is: std::abort();  // compile_node() refuses it
  }
  if (!node.negated) return;
  for (auto& each : result) each = each == 0 ? 1 : 0;
}

void FactFilter::select(BlockFields& fields, std::vector<std::uint8_t>& mask) const {
  if (passes_all()) return;
  std::vector<std::uint8_t> result(mask.size());
  evaluate(root_, fields, result);
  for (std::size_t row = 0; row < mask.size(); ++row)
    mask[row] = static_cast<std::uint8_t>(mask[row] & result[row]);
}

}  // namespace picket::query

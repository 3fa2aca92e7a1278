#include "api/query/aggregates.h"

#include "api/query/search_values.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

namespace picket::query {
namespace {

using facts::Dataset;
using Kind = FactValue::Kind;

struct Function {
  std::string_view name;
  AggregateKind kind;
  std::size_t needs;  // arguments at least
  std::string_view meta_type;  // "": that of the field
  double percentile = 0;
};
constexpr std::array<Function, 25> functions = {{
    {"count", AggregateKind::count, 0, "integer"},
    {"count_sample", AggregateKind::count, 0, "integer"},
    {"count_unique", AggregateKind::count_unique, 1, "integer"},
    {"count_if", AggregateKind::count_if, 3, "integer"},
    {"failure_count", AggregateKind::failure_count, 0, "integer"},
    {"failure_rate", AggregateKind::failure_rate, 0, "percentage"},
    {"sum", AggregateKind::sum, 1, ""},
    {"avg", AggregateKind::avg, 1, ""},
    {"min", AggregateKind::min, 1, ""},
    {"max", AggregateKind::max, 1, ""},
    {"p50", AggregateKind::percentile, 0, "", 0.5},
    {"p75", AggregateKind::percentile, 0, "", 0.75},
    {"p90", AggregateKind::percentile, 0, "", 0.9},
    {"p95", AggregateKind::percentile, 0, "", 0.95},
    {"p99", AggregateKind::percentile, 0, "", 0.99},
    {"p100", AggregateKind::percentile, 0, "", 1.0},
    {"percentile", AggregateKind::percentile, 2, ""},
    {"epm", AggregateKind::per_minute, 0, "rate"},
    {"tpm", AggregateKind::per_minute, 0, "rate"},
    {"eps", AggregateKind::per_second, 0, "rate"},
    {"tps", AggregateKind::per_second, 0, "rate"},
    {"per_second", AggregateKind::per_second, 0, "rate"},
    {"apdex", AggregateKind::apdex, 0, "number"},
    {"last_seen", AggregateKind::last_seen, 0, "date"},
    {"any", AggregateKind::any, 1, "string"},
}};

Error malformed(std::string words) {
  return Error{Fault::malformed, std::move(words)};
}

std::string_view default_field(Dataset dataset) {
  switch (dataset) {
    case Dataset::spans: return "span.duration";
    case Dataset::metrics: return "value";
    case Dataset::errors:
    case Dataset::transactions:
    case Dataset::logs: break;
  }
  return "transaction.duration";
}

std::string meta_type_of(const FieldExpression& field) {
  const auto& name = field.name;
  const bool duration = name.ends_with("duration") || name.ends_with("self_time") ||
                        name.ends_with("exclusive_time");
  return duration ? "duration" : "number";
}

std::optional<Operator> named_operator(std::string_view word) {
  if (word == "equals") return Operator::equal;
  if (word == "notEquals") return Operator::not_equal;
  if (word == "less") return Operator::less;
  if (word == "lessOrEquals") return Operator::less_or_equal;
  if (word == "greater") return Operator::greater;
  if (word == "greaterOrEquals") return Operator::greater_or_equal;
  return std::nullopt;
}

bool failed(std::string_view status) {
  return !status.empty() && status != "ok" && status != "cancelled" && status != "unknown";
}

// apdex(), apdex(300), apdex(span.duration, 300): the threshold is in the field's unit.
Result<void> read_apdex(const FieldExpression& expression, Dataset dataset, Aggregate& aggregate) {
  constexpr double usual_ms = 300;
  const auto& arguments = expression.arguments;
  if (arguments.size() > 2) return malformed(expression.text + ": expected a field and a threshold");
  const auto threshold = arguments.empty() ? std::optional(usual_ms) : parse_number(arguments.back());
  if (!threshold || *threshold <= 0) return malformed(expression.text + ": the threshold must be a number above 0");
  aggregate.threshold = *threshold;
  auto field = parse_field_expression(arguments.size() == 2 ? std::string_view(arguments.front()) : default_field(dataset));
  if (!field || field->is_function()) return malformed(expression.text + ": invalid argument " + arguments.front());
  aggregate.field = *std::move(field);
  return {};
}

Result<void> read_arguments(const FieldExpression& expression, const Function& function, Dataset dataset,
                            Aggregate& aggregate) {
  const auto& arguments = expression.arguments;
  if (arguments.size() < function.needs) return malformed(expression.text + ": expected " + std::to_string(function.needs) + " argument(s)");
  const bool wants_field = function.needs > 0 || function.kind == AggregateKind::percentile;
  std::string name = arguments.empty() ? std::string() : arguments.front();
  if (name.empty() && wants_field) name = default_field(dataset);
  if (!name.empty()) {
    auto field = parse_field_expression(name);
    if (!field || field->is_function()) return malformed(expression.text + ": invalid argument " + name);
    aggregate.field = *std::move(field);
  }
  if (function.name == "percentile") {
    const auto share = parse_number(arguments[1]);
    if (!share || *share < 0 || *share > 1) return malformed(expression.text + ": the percentile must be between 0 and 1");
    aggregate.percentile = *share;
  }
  if (function.kind == AggregateKind::count_if) {
    const auto op = named_operator(arguments[1]);
    if (!op) return malformed(expression.text + ": unknown condition " + arguments[1]);
    aggregate.op = *op;
    aggregate.value = arguments[2];
    if (aggregate.value.size() >= 2 && aggregate.value.front() == '"' && aggregate.value.back() == '"')
      aggregate.value = aggregate.value.substr(1, aggregate.value.size() - 2);
  } else if (dataset == Dataset::metrics && arguments.size() >= 2 && function.name != "percentile") {
    aggregate.metric_name = arguments[1];
    if (arguments.size() >= 3 && arguments[2] != "-") aggregate.metric_type = arguments[2];
  }
  return {};
}

FieldExpression field_named(std::string_view name) {
  FieldExpression field;
  field.text = field.name = name;
  return field;
}

bool satisfies(const Aggregate& aggregate, const FactValue& value) {
  const auto wanted = parse_number(aggregate.value);
  const auto number = value.kind == Kind::text ? std::nullopt : value.as_number();
  if (wanted && number) {
    switch (aggregate.op) {
      case Operator::equal: return *number == *wanted;
      case Operator::not_equal: return *number != *wanted;
      case Operator::less: return *number < *wanted;
      case Operator::less_or_equal: return *number <= *wanted;
      case Operator::greater: return *number > *wanted;
      case Operator::greater_or_equal: return *number >= *wanted;
    }
  }
  const bool same = value.as_text() == aggregate.value;
  return aggregate.op == Operator::not_equal ? !same : aggregate.op == Operator::equal && same;
}

template <class Verdict>
std::vector<std::uint8_t> verdicts(const CodedField& field, Verdict verdict) {
  std::vector<std::uint8_t> by_code;
  by_code.reserve(field.values.size());
  for (const auto& value : field.values) by_code.push_back(verdict(value) ? 1 : 0);
  return by_code;
}

// Of the rows those of the metric that an aggregate names, if it names one.
class OfMetric {
 public:
  OfMetric(const Aggregate& aggregate, BlockFields& fields, GroupedRows rows) : shown_(rows) {
    keep(fields, "metric.name", aggregate.metric_name);
    keep(fields, "metric.type", aggregate.metric_type);
  }
  GroupedRows rows() const { return shown_; }

 private:
  void keep(BlockFields& fields, std::string_view name, const std::string& wanted) {
    if (wanted.empty()) return;
    const auto& field = fields.coded(field_named(name));
    const auto asked_for = verdicts(field, [&](const FactValue& value) { return value.text == wanted; });
    std::vector<std::uint32_t> rows;
    std::vector<std::uint32_t> ends;
    for (std::size_t group = 0; group < shown_.ends.size(); ++group) {
      for (const auto row : shown_.of(group)) {
        if (asked_for[field.codes[row]] != 0) rows.push_back(row);
      }
      ends.push_back(static_cast<std::uint32_t>(rows.size()));
    }
    rows_ = std::move(rows);
    ends_ = std::move(ends);
    shown_ = {rows_, ends_};
  }

  std::vector<std::uint32_t> rows_;
  std::vector<std::uint32_t> ends_;
  GroupedRows shown_;
};

FactValue number_value(double number) {
  return {.kind = Kind::number, .integer = 0, .number = number, .text = {}};
}
FactValue integer_value(std::uint64_t integer) {
  return {.kind = Kind::integer, .integer = static_cast<std::int64_t>(integer), .number = 0, .text = {}};
}

}  // namespace

Result<Aggregate> parse_aggregate(const FieldExpression& expression, Dataset dataset) {
  for (const auto& function : functions) {
    if (function.name != expression.function) continue;
    Aggregate aggregate;
    aggregate.kind = function.kind;
    aggregate.percentile = function.percentile;
    auto read = function.kind == AggregateKind::apdex ? read_apdex(expression, dataset, aggregate)
                                                      : read_arguments(expression, function, dataset, aggregate);
    if (!read) return read.error();
    aggregate.meta_type = function.meta_type;
    if (aggregate.meta_type.empty()) aggregate.meta_type = meta_type_of(*aggregate.field);
    return aggregate;
  }
  return malformed(expression.function + "() is not a valid function");
}

void Accumulator::add_numbers(std::span<const double> values, Rows rows) {
  auto count = count_;
  auto sum = sum_;
  auto least = least_;
  auto greatest = greatest_;
  const auto* const all = values.data();
  for (const auto row : rows) {
    const auto number = all[row];
    if (std::isnan(number)) continue;
    least = count == 0 ? number : std::min(least, number);
    greatest = count == 0 ? number : std::max(greatest, number);
    sum += number;
    ++count;
  }
  count_ = count;
  sum_ = sum;
  least_ = least;
  greatest_ = greatest;
}

// Satisfied up to the threshold, half so up to four times of it.
void Accumulator::add_apdex(std::span<const double> values, double threshold, Rows rows) {
  for (const auto row : rows) {
    const auto number = values[row];
    if (std::isnan(number)) continue;
    ++count_;
    sum_ += number <= threshold ? 1 : number <= 4 * threshold ? 0.5 : 0;
  }
}

std::size_t Accumulator::add(const Aggregate& aggregate, BlockFields& fields, GroupedRows rows, std::span<Accumulator* const> sums,
                             DistinctNumbers& numbers) {
  static const FieldExpression span_status = field_named("span.status");
  static const FieldExpression status = field_named("transaction.status");
  const OfMetric of_metric(aggregate, fields, rows);
  rows = of_metric.rows();
  std::size_t grown = 0;
  const auto each_group = [&](auto add_rows) {
    for (std::size_t group = 0; group < sums.size(); ++group) add_rows(*sums[group], rows.of(group));
  };
  const auto count_hits = [&](const CodedField& field, const std::vector<std::uint8_t>& verdicts, Rows own) {
    const auto* const codes = field.codes.data();
    const auto* const hit = verdicts.data();
    std::uint64_t hits = 0;
    for (const auto row : own) hits += hit[codes[row]];
    return hits;
  };
  switch (aggregate.kind) {
    case AggregateKind::count:
    case AggregateKind::per_minute:
    case AggregateKind::per_second: each_group([](Accumulator& sum, Rows own) { sum.count_ += own.size(); }); break;
    case AggregateKind::count_unique: {
      const auto found = numbers.number_all(fields.hashes(*aggregate.field), rows.rows, grown);
      each_group([&](Accumulator& sum, Rows own) { grown += sum.distinct_.insert_all(found, own, numbers.size()); });
      break;
    }
    case AggregateKind::count_if: {
      const auto& field = fields.coded(*aggregate.field);
      const auto counted = verdicts(field, [&](const FactValue& value) { return satisfies(aggregate, value); });
      each_group([&](Accumulator& sum, Rows own) { sum.count_ += count_hits(field, counted, own); });
      break;
    }
    case AggregateKind::failure_count:
    case AggregateKind::failure_rate: {
      const auto& field = fields.coded(fields.dataset() == Dataset::spans ? span_status : status);
      const auto failures = verdicts(field, [](const FactValue& value) { return failed(value.text); });
      each_group([&](Accumulator& sum, Rows own) {
        sum.count_ += own.size();
        sum.hits_ += count_hits(field, failures, own);
      });
      break;
    }
    case AggregateKind::sum:
    case AggregateKind::avg:
    case AggregateKind::min:
    case AggregateKind::max: {
      const auto& values = fields.numbers(*aggregate.field);
      each_group([&](Accumulator& sum, Rows own) { sum.add_numbers(values, own); });
      break;
    }
    case AggregateKind::apdex: {
      const auto& values = fields.numbers(*aggregate.field);
      each_group([&](Accumulator& sum, Rows own) { sum.add_apdex(values, aggregate.threshold, own); });
      break;
    }
    case AggregateKind::percentile: {
      const auto& values = fields.numbers(*aggregate.field);
      each_group([&](Accumulator& sum, Rows own) { grown += sum.percentiles_.add(values, own); });
      break;
    }
    case AggregateKind::last_seen:
      each_group([&](Accumulator& sum, Rows own) {
        for (const auto row : own) sum.last_ns_ = std::max(sum.last_ns_, fields.time_ns(row));
      });
      break;
    case AggregateKind::any: {
      const auto& field = fields.coded(*aggregate.field);
      each_group([&](Accumulator& sum, Rows own) {
        for (std::size_t i = 0; i < own.size() && sum.any_.empty(); ++i) {
          sum.any_ = field.at(own[i]).as_text();
          grown += sum.any_.size();
        }
      });
      break;
    }
  }
  return grown;
}

FactValue Accumulator::result(const Aggregate& aggregate, double minutes) const {
  switch (aggregate.kind) {
    case AggregateKind::count:
    case AggregateKind::count_if: return integer_value(count_);
    case AggregateKind::count_unique: return integer_value(distinct_.size());
    case AggregateKind::failure_count: return integer_value(hits_);
    case AggregateKind::failure_rate:
      return number_value(count_ == 0 ? 0.0 : static_cast<double>(hits_) / static_cast<double>(count_));
    case AggregateKind::per_minute: return number_value(static_cast<double>(count_) / std::max(minutes, 1.0 / 60));
    case AggregateKind::per_second: return number_value(static_cast<double>(count_) / std::max(minutes * 60, 1.0));
    case AggregateKind::sum: return number_value(sum_);
    case AggregateKind::avg:
    case AggregateKind::apdex: return count_ == 0 ? FactValue{} : number_value(sum_ / static_cast<double>(count_));
    case AggregateKind::min: return count_ == 0 ? FactValue{} : number_value(least_);
    case AggregateKind::max: return count_ == 0 ? FactValue{} : number_value(greatest_);
    case AggregateKind::percentile: {
      const auto number = percentiles_.at(aggregate.percentile);
      return number ? number_value(*number) : FactValue{};
    }
    case AggregateKind::last_seen:
    case AggregateKind::any: break;
  }
  if (aggregate.kind == AggregateKind::last_seen)
    return {.kind = Kind::integer, .integer = last_ns_ / 1'000'000, .number = 0, .text = {}};
  return any_.empty() ? FactValue{} : FactValue{.kind = Kind::text, .integer = 0, .number = 0, .text = any_};
}

}  // namespace picket::query

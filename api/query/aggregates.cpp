#include "api/query/aggregates.h"

#include "api/query/search_values.h"
#include "buffer/keys.h"
#include "relay/protocol/envelope.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace picket::query {
namespace {

using facts::Dataset;
using Kind = FactValue::Kind;

constexpr std::size_t most_samples = 20'000;
constexpr std::size_t most_distinct = 1'000'000;

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

std::size_t Accumulator::sample(double number) {
  if (sample_.size() < most_samples) {
    const auto before = sample_.capacity();
    sample_.push_back(number);
    return (sample_.capacity() - before) * sizeof(double);
  }
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const auto at = random_ % count_;
  if (at < most_samples) sample_[static_cast<std::size_t>(at)] = number;
  return 0;
}

std::size_t Accumulator::add_distinct(const FactValue& value) {
  constexpr std::size_t node_bytes = 32;  // with its share of the buckets
  if (!value.there() || distinct_.size() >= most_distinct) return 0;
  return distinct_.insert(buffer::stable_hash(value.as_text())).second ? node_bytes : 0;
}

void Accumulator::add_number(double number) {
  least_ = count_ == 0 ? number : std::min(least_, number);
  greatest_ = count_ == 0 ? number : std::max(greatest_, number);
  sum_ += number;
  ++count_;
}

// Satisfied up to the threshold, half so up to four times of it.
void Accumulator::add_apdex(double number, double threshold) {
  ++count_;
  if (number <= threshold) {
    sum_ += 1;
  } else if (number <= 4 * threshold) {
    sum_ += 0.5;
  }
}

bool Accumulator::counts(const Aggregate& aggregate, BlockFields& fields, std::size_t row) const {
  static const FieldExpression metric_name = field_named("metric.name");
  static const FieldExpression metric_type = field_named("metric.type");
  if (!aggregate.metric_name.empty() && fields.values(metric_name)[row].text != aggregate.metric_name) return false;
  return aggregate.metric_type.empty() || fields.values(metric_type)[row].text == aggregate.metric_type;
}

std::size_t Accumulator::add(const Aggregate& aggregate, BlockFields& fields, std::size_t row) {
  static const FieldExpression span_status = field_named("span.status");
  static const FieldExpression status = field_named("transaction.status");
  if (!counts(aggregate, fields, row)) return 0;
  switch (aggregate.kind) {
    case AggregateKind::count:
    case AggregateKind::per_minute:
    case AggregateKind::per_second: ++count_; return 0;
    case AggregateKind::count_unique: return add_distinct(fields.values(*aggregate.field)[row]);
    case AggregateKind::count_if:
      if (satisfies(aggregate, fields.values(*aggregate.field)[row])) ++count_;
      return 0;
    case AggregateKind::failure_count:
    case AggregateKind::failure_rate:
      ++count_;
      if (failed(fields.values(fields.dataset() == Dataset::spans ? span_status : status)[row].text)) ++hits_;
      return 0;
    case AggregateKind::sum:
    case AggregateKind::avg:
    case AggregateKind::min:
    case AggregateKind::max:
    case AggregateKind::apdex:
    case AggregateKind::percentile: {
      const auto number = fields.values(*aggregate.field)[row].as_number();
      if (!number) return 0;
      if (aggregate.kind == AggregateKind::apdex) return add_apdex(*number, aggregate.threshold), 0;
      add_number(*number);
      return aggregate.kind == AggregateKind::percentile ? sample(*number) : 0;
    }
    case AggregateKind::last_seen: last_ns_ = std::max(last_ns_, fields.time_ns(row)); return 0;
    case AggregateKind::any:
      if (!any_.empty()) return 0;
      any_ = fields.values(*aggregate.field)[row].as_text();
      return any_.size();
  }
  std::abort();
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
      if (sample_.empty()) return {};
      auto sorted = sample_;
      std::ranges::sort(sorted);
      const double at = aggregate.percentile * static_cast<double>(sorted.size() - 1);
      const auto below = static_cast<std::size_t>(at);
      const auto above = std::min(below + 1, sorted.size() - 1);
      return number_value(sorted[below] + (sorted[above] - sorted[below]) * (at - std::floor(at)));
    }
    case AggregateKind::last_seen:
    case AggregateKind::any: break;
  }
  if (aggregate.kind == AggregateKind::last_seen)
    return {.kind = Kind::integer, .integer = last_ns_ / 1'000'000, .number = 0, .text = {}};
  return any_.empty() ? FactValue{} : FactValue{.kind = Kind::text, .integer = 0, .number = 0, .text = any_};
}

}  // namespace picket::query

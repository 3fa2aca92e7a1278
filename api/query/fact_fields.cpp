#include "api/query/fact_fields.h"

#include "api/digest/fact_values.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace picket::query {

using facts::Dataset;
using facts::ValueType;

namespace {

struct Alias {
  std::string_view name;
  std::string_view column;
};
// Names that clients use for what is stored under another one; tried before the name itself.
constexpr std::array<Alias, 30> aliases = {{
    {"span_id", "id"},
    {"trace_id", "trace"},
    {"parent_span_id", "parent_span"},
    {"description", "span.description"},
    {"op", "span.op"},
    {"status", "span.status"},
    {"duration", "span.duration"},
    {"self_time", "span.self_time"},
    {"exclusive_time", "span.self_time"},
    {"span.exclusive_time", "span.self_time"},
    {"is_segment", "is_transaction"},
    {"segment.name", "transaction"},
    {"segment_id", "transaction.span_id"},
    {"segment.id", "transaction.span_id"},
    {"profile_id", "profile.id"},
    {"replayId", "replay.id"},
    {"replay_id", "replay.id"},
    {"event_id", "id"},
    {"platform.name", "platform"},
    {"log.body", "message"},
    {"body", "message"},
    {"level", "severity"},
    {"severity_text", "severity"},
    {"name", "metric.name"},
    {"metric.value", "value"},
    {"type", "event.type"},
    {"span.domain", "sentry.domain"},
    {"geo.country_code", "user.geo.country_code"},
    {"handled", "error.handled"},
    {"span.category", "span.category"},
}};

}  // namespace

std::vector<std::string_view> columns_of_field(Dataset dataset, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& alias : aliases) {
    if (alias.name != name) continue;
    if (name == "span_id" && dataset != Dataset::spans) continue;
    if (name == "level" && dataset != Dataset::logs) continue;
    if (name == "event_id" && dataset == Dataset::spans) continue;
    if (name == "name" && dataset != Dataset::metrics) continue;
    if (name == "type" && dataset == Dataset::metrics) continue;
    if (alias.column != name) names.push_back(alias.column);
  }
  if (name == "name" && dataset == Dataset::spans) names.push_back("span.name");
  if (name == "type" && dataset == Dataset::metrics) names.push_back("metric.type");
  if (name == "unit" && dataset == Dataset::metrics) names.push_back("metric.unit");
  if (name == "span.name") names = {"span.name", "span.op"};
  if (dataset == Dataset::transactions && name == "trace.span") names = {"trace.span"};
  // An attribute is also found by the name that the SDK gave it.
  if (const auto shown = digest::public_name(name); shown != name) names.push_back(shown);
  names.push_back(name);
  return names;
}

SpecialField special_of(Dataset dataset, const FieldExpression& field) {
  if (field.explicit_tag) return SpecialField::none;
  const std::string_view name = field.name;
  if (name == "timestamp" || name == "sentry.timestamp" || name == "time") return SpecialField::date;
  if (name == "timestamp_precise" || name == "sentry.timestamp_precise") return SpecialField::time_ns;
  if (name == "observed_timestamp" || name == "precise.start_ts") return SpecialField::time_s;
  if (name == "precise.finish_ts") return SpecialField::finish;
  if (name == "project" || name == "project.name" || name == "sentry.project") return SpecialField::project;
  if (name == "project.id" || name == "project_id" || name == "sentry.project_id") return SpecialField::project_id;
  const bool ids_are_columns = dataset == Dataset::spans || dataset == Dataset::errors || dataset == Dataset::transactions;
  if (name == "sentry.item_id" || (name == "id" && !ids_are_columns)) return SpecialField::item_id;
  if (name == "issue") return SpecialField::issue;
  if (name == "issue.id" || name == "issue_id") return SpecialField::issue_id;
  if (name == "event.type" && dataset == Dataset::transactions) return SpecialField::transaction_type;
  return SpecialField::none;
}

bool holds(ValueType stored, FieldType wanted) {
  switch (wanted) {
    case FieldType::any: return true;
    case FieldType::text: return stored == ValueType::text || stored == ValueType::id;
    case FieldType::number: return stored == ValueType::number || stored == ValueType::integer;
    case FieldType::boolean: return stored == ValueType::boolean;
    case FieldType::array: return stored == ValueType::array;
  }
  std::abort();
}

FieldType type_of(Dataset dataset, const FieldExpression& field) {
  struct Measure {
    Dataset dataset;
    std::string_view name;
  };
  constexpr std::array<Measure, 6> measures = {{{Dataset::metrics, "value"},
                                                {Dataset::metrics, "metric.value"},
                                                {Dataset::spans, "span.duration"},
                                                {Dataset::spans, "span.self_time"},
                                                {Dataset::transactions, "transaction.duration"},
                                                {Dataset::transactions, "span.duration"}}};
  if (field.explicit_tag || field.type != FieldType::any) return field.type;
  const bool measured = std::ranges::any_of(measures, [&](const Measure& measure) { return measure.dataset == dataset && measure.name == field.name; });
  return measured ? FieldType::number : FieldType::any;
}

}  // namespace picket::query

#include "api/rest/fact_request.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {
namespace {

using facts::Dataset;

constexpr std::array<std::pair<std::string_view, Dataset>, 12> datasets = {{
    {"errors", Dataset::errors},
    {"discover", Dataset::errors},
    {"spans", Dataset::spans},
    {"spansIndexed", Dataset::spans},
    {"logs", Dataset::logs},
    {"ourlogs", Dataset::logs},
    {"transactions", Dataset::transactions},
    {"metricsEnhanced", Dataset::transactions},
    {"metrics", Dataset::transactions},
    {"tracemetrics", Dataset::metrics},
    {"traceMetrics", Dataset::metrics},
    {"ourmetrics", Dataset::metrics},
}};

}  // namespace

std::optional<Dataset> parse_dataset(std::string_view name) {
  for (const auto& [word, dataset] : datasets) {
    if (word == name) return dataset;
  }
  return std::nullopt;
}

std::string_view dataset_name(Dataset dataset) {
  switch (dataset) {
    case Dataset::errors: return "errors";
    case Dataset::transactions: return "transactions";
    case Dataset::spans: return "spans";
    case Dataset::logs: return "logs";
    case Dataset::metrics: return "tracemetrics";
  }
  std::abort();
}

std::variant<query::FactRequest, Reply> fact_request(Api& api, const Call& call, Dataset dataset) {
  query::FactRequest request;
  request.dataset = dataset;
  request.now = api.clock.now();
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  for (const auto& project : std::get<std::vector<schema::Project>>(projects))
    request.projects.push_back({project.id(), project.slug(), project.name()});
  const auto period = parse_period(call.query, request.now);
  if (const auto* refusal = std::get_if<Reply>(&period)) return *refusal;
  const auto& given = std::get<std::optional<Period>>(period);
  constexpr std::int64_t day_ms = 86'400'000;
  // What an SDK's clock puts a little ahead is there too.
  request.to_ms = given && given->to < request.now ? to_ms(given->to) : to_ms(request.now) + 60'000;
  request.from_ms = given ? to_ms(given->from) : to_ms(request.now) - 90 * day_ms;
  for (const auto name : call.query.all("environment")) request.environments.emplace_back(name);
  return request;
}

query::FieldExpression fact_field(std::string_view name) {
  query::FieldExpression field;
  field.text = field.name = name;
  return field;
}

query::Condition fact_condition(std::string_view field, std::string_view text) {
  query::Condition filter;
  filter.kind = query::ConditionKind::filter;
  filter.field = fact_field(field);
  filter.values.push_back({std::string(text), true});
  return filter;
}

boost::json::value render_cell(const query::FactCell& cell) {
  using Kind = query::FactValue::Kind;
  switch (cell.kind) {
    case Kind::none: return nullptr;
    case Kind::text: return boost::json::string(cell.text);
    case Kind::integer: return cell.integer;
    case Kind::number: return cell.number;
    case Kind::boolean: return cell.integer != 0;
    case Kind::array: {
      boost::json::error_code error;
      auto array = boost::json::parse(cell.text, error);
      return error ? boost::json::value(boost::json::array()) : array;
    }
  }
  std::abort();
}

Reply fact_refusal(const Error& error) {
  return Reply::error(error.fault == Fault::corrupt ? 500 : 400, replace_invalid_utf8(error.detail));
}

}  // namespace picket::rest

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

// Without a dataset the classic Discover is meant: transactions when the question is about them.
Dataset guessed_dataset(const Call& call) {
  constexpr std::array<std::string_view, 7> signs = {"transaction.", "event.type:transaction", "apdex(", "failure_rate(",
                                                     "failure_count(", "tpm(",               "tps("};
  const auto about = [&](std::string_view text) {
    return std::any_of(signs.begin(), signs.end(), [&](auto sign) { return text.find(sign) != std::string_view::npos; });
  };
  bool any = about(call.query.text("query"));
  for (const auto* name : {"field", "yAxis"}) {
    const auto texts = call.query.all(name);
    any = any || std::any_of(texts.begin(), texts.end(), about);
  }
  return any ? Dataset::transactions : Dataset::errors;
}

// "-count" and "-count_unique_user" are how older clients sort by count() and count_unique(user).
std::string plain_name(std::string_view text) {
  std::string plain;
  for (const char c : text) plain += std::string_view("(),. ").find(c) == std::string_view::npos ? c : '_';
  while (plain.ends_with('_')) plain.pop_back();
  return plain;
}

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

std::variant<NamedDataset, Reply> named_dataset(const Call& call) {
  const auto word = call.query.text("dataset");
  if (word.empty()) return NamedDataset{guessed_dataset(call), false, "discover"};
  if (word == "profile_functions" || word == "uptime_results") return NamedDataset{Dataset::spans, true, std::string(word)};
  const auto dataset = parse_dataset(word);
  if (!dataset)
    return Reply::error(400, "dataset must be one of: errors, logs, ourlogs, spans, tracemetrics, transactions, "
                             "profile_functions, uptime_results");
  return NamedDataset{*dataset, false, std::string(word)};
}

std::optional<Error> add_column(query::FactRequest& request, std::string_view text) {
  if (text.starts_with(query::equation_prefix)) {
    for (const auto& known : request.equations) {
      if (known.text() == text) return std::nullopt;
    }
    auto equation = query::Equation::parse(text);
    if (!equation) return equation.error();
    request.equations.push_back(*std::move(equation));
    return std::nullopt;
  }
  auto field = query::parse_field_expression(text);
  if (!field) return field.error();
  for (const auto& known : request.fields) {
    if (known.text == field->text) return std::nullopt;
  }
  request.fields.push_back(*std::move(field));
  return std::nullopt;
}

std::optional<Error> add_sorts(const Call& call, query::FactRequest& request) {
  auto named = call.query.all("sort");
  if (named.empty()) named = call.query.all("orderby");
  for (auto name : named) {
    if (name.empty()) continue;
    const bool descending = name.front() == '-';
    if (descending) name.remove_prefix(1);
    const auto same = std::find_if(request.fields.begin(), request.fields.end(), [&](const auto& field) {
      return field.text == name || (field.is_function() && plain_name(field.text) == name);
    });
    if (same != request.fields.end()) {
      request.sorts.push_back({*same, descending});
      continue;
    }
    if (name.starts_with(query::equation_prefix)) {
      const auto known = std::any_of(request.equations.begin(), request.equations.end(),
                                     [&](const auto& equation) { return equation.text() == name; });
      if (!known) return Error{Fault::malformed, "Cannot sort by an equation that is not selected: " + std::string(name)};
      request.sorts.push_back({fact_field(name), descending});
      continue;
    }
    auto field = query::parse_field_expression(name);
    if (!field) return field.error();
    request.sorts.push_back({*std::move(field), descending});
  }
  return std::nullopt;
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

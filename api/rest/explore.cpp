// organizations/{org}/events/: rows and aggregates of any dataset, and whether a question is valid.
#include "api/rest/fact_request.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::rest {
namespace {

using facts::Dataset;

constexpr std::size_t most_fields = 20;
constexpr std::size_t deepest_offset = 10'000;

// Fields of the question; those that every row has beside them come behind.
struct Question {
  query::FactRequest request;
  std::size_t shown = 0;
  bool aggregated = false;
  std::string dataset;

  const std::string& text(std::size_t column) const { return request.fields[column].text; }
  // Where an equation is among a row's cells.
  std::size_t cell_of_equation(std::size_t equation) const { return request.fields.size() + equation; }
};

std::variant<Question, Reply> read_question(Api& api, const Call& call) {
  auto named = named_dataset(call);
  if (auto* refusal = std::get_if<Reply>(&named)) return std::move(*refusal);
  const auto& dataset = std::get<NamedDataset>(named);
  auto request = fact_request(api, call, dataset.dataset);
  if (auto* refusal = std::get_if<Reply>(&request)) return std::move(*refusal);
  Question question;
  question.request = std::get<query::FactRequest>(std::move(request));
  question.dataset = dataset.name;
  if (dataset.served_empty) question.request.projects.clear();
  for (const auto text : call.query.all("field")) {
    if (const auto error = add_column(question.request, text)) return fact_refusal(*error);
  }
  const auto columns = question.request.fields.size() + question.request.equations.size();
  if (columns == 0) return Reply::error(400, "No columns selected");
  if (columns > most_fields) return Reply::error(400, "At most 20 fields can be asked for at a time.");
  question.shown = question.request.fields.size();
  question.aggregated = question.request.aggregated();
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  question.request.condition = *std::move(condition);
  if (const auto error = add_sorts(call, question.request)) return fact_refusal(*error);
  if (!question.aggregated) question.request.fields.push_back(fact_field("id"));
  return question;
}

boost::json::value shown_value(const query::FactCell& cell, const std::string& type, Dataset dataset) {
  using Kind = query::FactValue::Kind;
  if (type == "date" && cell.kind == Kind::integer) return render_time(cell.integer);
  const bool classic = dataset == Dataset::errors || dataset == Dataset::transactions;
  if (cell.kind == Kind::none && classic && type == "string") return "";
  return render_cell(cell);
}

boost::json::object render_meta(const Question& question, const query::FactPage& page) {
  boost::json::object fields;
  boost::json::object units;
  for (std::size_t i = 0; i < question.shown; ++i) {
    const auto& text = question.text(i);
    const auto type = i < page.types.size() ? page.types[i] : std::string("string");
    fields[text] = type;
    const auto unit = query::field_meta_unit(type, text);
    units[text] = unit ? boost::json::value(*unit) : boost::json::value(nullptr);
  }
  for (const auto& equation : question.request.equations) {
    fields[equation.text()] = "number";
    units[equation.text()] = nullptr;
  }
  return {{"fields", std::move(fields)},
          {"units", std::move(units)},
          {"isMetricsData", false},
          {"isMetricsExtractedData", false},
          {"tips", boost::json::object()},
          {"datasetReason", "unchanged"},
          {"dataset", question.dataset},
          {"dataScanned", "full"}};
}

boost::json::object render_row(const Question& question, const query::FactPage& page, const query::FoundFact& fact) {
  boost::json::object row;
  for (std::size_t i = 0; i < question.shown; ++i)
    row[question.text(i)] = shown_value(fact.cells[i], page.types[i], question.request.dataset);
  for (std::size_t i = 0; i < question.request.equations.size(); ++i)
    row[question.request.equations[i].text()] = render_cell(fact.cells[question.cell_of_equation(i)]);
  if (question.aggregated || fact.project == nullptr) return row;
  if (!row.contains("id")) row["id"] = render_cell(fact.cells[question.shown]);
  row["project.name"] = fact.project->slug;
  return row;
}

Reply list_events(Api& api, const Call& call) {
  const auto parsed_page = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed_page)) return *refusal;
  const auto& page = std::get<Page>(parsed_page);
  auto asked = read_question(api, call);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  auto& question = std::get<Question>(asked);
  if (page.offset > deepest_offset) return Reply::error(400, "Pages end after 10000 rows; narrow the query.");
  question.request.offset = static_cast<std::size_t>(page.offset);
  question.request.most = page.per_page;
  const auto snapshot = api.tables.snapshot();
  const auto found = query::find_facts(snapshot, question.request);
  if (!found) return fact_refusal(found.error());
  boost::json::array rows;
  for (const auto& fact : found->rows) rows.push_back(render_row(question, *found, fact));
  const auto shown = rows.size();
  auto reply = Reply::json(boost::json::object{{"data", std::move(rows)}, {"meta", render_meta(question, *found)}});
  add_links(reply, api, call, page, shown, found->more);
  return reply;
}

// ---- events/validate/: the same checks without the search, part by part ----------------------------

using Wrong = std::optional<std::string>;

boost::json::value render_wrong(const Wrong& wrong) {
  return wrong ? boost::json::value(*wrong) : boost::json::value(nullptr);
}

boost::json::object render_verdict(const Wrong& wrong) {
  return {{"valid", !wrong.has_value()}, {"error", render_wrong(wrong)}};
}

// The type as attributes have it; null for what only rows could tell.
boost::json::value attribute_type(std::string_view meta_type) {
  if (meta_type.empty()) return nullptr;
  if (meta_type == "boolean") return "boolean";
  if (meta_type == "string" || meta_type == "date" || meta_type == "array") return "string";
  return "number";
}

boost::json::object render_column_verdict(std::string_view name, std::string_view meta_type, const Wrong& wrong) {
  return {{"name", name},
          {"valid", !wrong.has_value()},
          {"attrType", wrong ? boost::json::value(nullptr) : attribute_type(meta_type)},
          {"error", render_wrong(wrong)}};
}

// `one` is the question without columns.
boost::json::object judge_column(Api& api, query::FactRequest one, std::string_view text) {
  const auto name = replace_invalid_utf8(text);
  if (const auto error = add_column(one, text)) return render_column_verdict(name, "", replace_invalid_utf8(error->detail));
  const auto found = query::find_facts(api.tables.snapshot(), one);
  if (!found) return render_column_verdict(name, "", replace_invalid_utf8(found.error().detail));
  if (one.fields.empty()) return render_column_verdict(name, "number", std::nullopt);  // an equation
  const auto& field = one.fields.front();
  return render_column_verdict(name, field.is_function() ? found->types.front() : query::field_meta_type(field), std::nullopt);
}

void add_condition_fields(const query::Condition& condition, std::vector<std::string>& names) {
  const auto& name = condition.field.text;
  const bool of_field = condition.kind == query::ConditionKind::filter || condition.kind == query::ConditionKind::has;
  if (of_field && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const auto& part : condition.parts) add_condition_fields(part, names);
}

boost::json::object judge_query(Api& api, query::FactRequest one, std::string_view text) {
  Wrong wrong;
  boost::json::array fields;
  auto condition = query::parse_condition(text, query::fact_language(), api.clock.now());
  if (condition) {
    std::vector<std::string> names;
    add_condition_fields(*condition, names);
    for (const auto& name : names) fields.push_back(judge_column(api, one, name));
    one.condition = *std::move(condition);
    auto count = query::parse_field_expression("count()");
    if (count) one.fields.push_back(*std::move(count));
    const auto found = query::find_facts(api.tables.snapshot(), one);
    if (!found) wrong = replace_invalid_utf8(found.error().detail);
  } else {
    wrong = replace_invalid_utf8(condition.error().detail);
  }
  auto verdict = render_verdict(wrong);
  verdict["fields"] = std::move(fields);
  return verdict;
}

boost::json::array judge_each(const Call& call, std::string_view parameter) {
  boost::json::array verdicts;
  for (std::size_t i = 0; i < call.query.all(parameter).size(); ++i) verdicts.push_back(render_verdict(std::nullopt));
  return verdicts;
}

// `wrong` is what the whole question would be refused with.
Reply render_verdicts(Api& api, const Call& call, const Wrong& wrong) {
  const auto named = named_dataset(call);
  const auto* dataset = std::get_if<NamedDataset>(&named);
  query::FactRequest one;
  one.now = api.clock.now();
  if (dataset != nullptr) one.dataset = dataset->dataset;
  bool parts_valid = dataset != nullptr;
  boost::json::array fields;
  for (const auto text : call.query.all("field")) {
    auto verdict = judge_column(api, one, text);
    parts_valid = parts_valid && verdict.at("valid").as_bool();
    fields.push_back(std::move(verdict));
  }
  auto query = judge_query(api, one, call.query.text("query"));
  parts_valid = parts_valid && query.at("valid").as_bool();
  // What no other part is to blame for is the order's.
  boost::json::array order;
  for (const auto* parameter : {"sort", "orderby"}) {
    for (const auto text : call.query.all(parameter))
      order.push_back(render_column_verdict(replace_invalid_utf8(text), "", parts_valid ? wrong : std::nullopt));
  }
  auto of_dataset = render_verdict(dataset != nullptr ? std::nullopt : wrong);
  of_dataset["name"] = replace_invalid_utf8(call.query.text("dataset"));
  boost::json::array datasets;
  datasets.push_back(std::move(of_dataset));
  boost::json::object shown{{"valid", !wrong.has_value()},
                            {"projects", judge_each(call, "project")},
                            {"dataset", std::move(datasets)},
                            {"environment", judge_each(call, "environment")},
                            {"field", std::move(fields)},
                            {"query", std::move(query)},
                            {"orderby", std::move(order)}};
  if (wrong) shown["detail"] = *wrong;
  return Reply::json(std::move(shown), wrong ? 400 : 200);
}

Reply validate_events(Api& api, const Call& call) {
  auto asked = read_question(api, call);
  if (const auto* refusal = std::get_if<Reply>(&asked)) {
    const auto* detail = refusal->body && refusal->body->is_object() ? refusal->body->as_object().if_contains("detail") : nullptr;
    if (refusal->status != 400 || detail == nullptr || !detail->is_string()) return *refusal;
    return render_verdicts(api, call, std::string(detail->as_string()));
  }
  auto& question = std::get<Question>(asked);
  question.request.projects.clear();
  question.request.most = 1;
  const auto found = query::find_facts(api.tables.snapshot(), question.request);
  return render_verdicts(api, call, found ? Wrong() : Wrong(replace_invalid_utf8(found.error().detail)));
}

}  // namespace

std::vector<Route> explore_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/events/", read, list_events},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/events/validate/", read, validate_events},
  };
}

}  // namespace picket::rest

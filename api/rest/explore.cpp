// organizations/{org}/events/: rows and aggregates of any dataset, and whether a question is valid.
#include "api/rest/fact_request.h"

#include <algorithm>
#include <utility>

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
};

// Without a dataset the classic Discover is meant: transactions when the question is about them.
Dataset guessed_dataset(const Call& call) {
  const auto about = [](std::string_view text) {
    return text.find("transaction.") != std::string_view::npos ||
           text.find("event.type:transaction") != std::string_view::npos;
  };
  const auto fields = call.query.all("field");
  const bool any = about(call.query.text("query")) || std::any_of(fields.begin(), fields.end(), about);
  return any ? Dataset::transactions : Dataset::errors;
}

// "-count" and "-count_unique_user" are how older clients sort by count() and count_unique(user).
std::string plain_name(std::string_view text) {
  std::string plain;
  for (const char c : text) plain += std::string_view("(),. ").find(c) == std::string_view::npos ? c : '_';
  while (plain.ends_with('_')) plain.pop_back();
  return plain;
}

std::optional<Error> read_sorts(const Call& call, query::FactRequest& request) {
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
    auto field = query::parse_field_expression(name);
    if (!field) return field.error();
    request.sorts.push_back({*std::move(field), descending});
  }
  return std::nullopt;
}

std::variant<Question, Reply> read_question(Api& api, const Call& call) {
  const auto word = call.query.text("dataset");
  const auto dataset = word.empty() ? guessed_dataset(call) : parse_dataset(word);
  const bool served_empty = word == "profile_functions" || word == "uptime_results";
  if (!dataset && !served_empty)
    return Reply::error(400, "dataset must be one of: errors, logs, ourlogs, spans, tracemetrics, transactions, "
                             "profile_functions, uptime_results");
  auto request = fact_request(api, call, dataset.value_or(Dataset::spans));
  if (auto* refusal = std::get_if<Reply>(&request)) return std::move(*refusal);
  Question question;
  question.request = std::get<query::FactRequest>(std::move(request));
  question.dataset = word.empty() || word == "discover" ? "discover" : std::string(word);
  if (served_empty) question.request.projects.clear();
  for (const auto text : call.query.all("field")) {
    if (text.starts_with("equation|")) return Reply::error(400, "Equations are not supported here yet: " + std::string(text.substr(0, 200)));
    auto field = query::parse_field_expression(text);
    if (!field) return fact_refusal(field.error());
    const bool twice = std::any_of(question.request.fields.begin(), question.request.fields.end(),
                                   [&](const auto& one) { return one.text == field->text; });
    if (!twice) question.request.fields.push_back(*std::move(field));
  }
  if (question.request.fields.empty()) return Reply::error(400, "No columns selected");
  if (question.request.fields.size() > most_fields) return Reply::error(400, "At most 20 fields can be asked for at a time.");
  question.shown = question.request.fields.size();
  question.aggregated = std::any_of(question.request.fields.begin(), question.request.fields.end(),
                                    [](const auto& field) { return field.is_function(); });
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  question.request.condition = *std::move(condition);
  if (const auto error = read_sorts(call, question.request)) return fact_refusal(*error);
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
    const auto& text = question.request.fields[i].text;
    const auto type = i < page.types.size() ? page.types[i] : std::string("string");
    fields[text] = type;
    const auto unit = query::field_meta_unit(type, text);
    units[text] = unit ? boost::json::value(*unit) : boost::json::value(nullptr);
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
    row[question.request.fields[i].text] = shown_value(fact.cells[i], page.types[i], question.request.dataset);
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

// The same checks, without the search.
Reply validate_events(Api& api, const Call& call) {
  auto asked = read_question(api, call);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  auto& question = std::get<Question>(asked);
  question.request.projects.clear();
  question.request.most = 1;
  const auto found = query::find_facts(api.tables.snapshot(), question.request);
  if (!found) return fact_refusal(found.error());
  return Reply::json(boost::json::object{{"valid", true}});
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

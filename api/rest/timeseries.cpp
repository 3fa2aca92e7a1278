// events-timeseries/, and events-stats/ as older clients know it: aggregates of any dataset by time.
#include "api/query/fact_series.h"
#include "api/rest/fact_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t most_axes = 10;
constexpr std::size_t most_top = 10;
constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t day_ms = 24 * hour_ms;

struct Question {
  query::SeriesRequest request;
  std::vector<std::string> axes;  // functions, then equations, as they were asked for
  std::string dataset;
  std::int64_t compared_ms = 0;  // so long before, for comparison; 0: not asked for
};

std::int64_t usual_interval(std::int64_t period_ms) {
  if (period_ms <= hour_ms) return minute_ms;
  if (period_ms <= 6 * hour_ms) return 5 * minute_ms;
  if (period_ms <= 2 * day_ms) return 30 * minute_ms;
  if (period_ms <= 14 * day_ms) return hour_ms;
  if (period_ms <= 60 * day_ms) return 4 * hour_ms;
  return day_ms;
}

// One that makes no sense is passed over, as Sentry does.
std::int64_t interval_of(const Call& call, std::int64_t period_ms) {
  const auto given = parse_stats_period(call.query.text("interval"));
  if (!given) return usual_interval(period_ms);
  const auto wanted = given->count();
  const bool sensible = wanted >= 1000 && wanted < period_ms &&
                        period_ms / wanted < static_cast<std::int64_t>(query::most_buckets);
  return sensible ? wanted : usual_interval(period_ms);
}

std::optional<std::int64_t> read_number(std::string_view text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// The columns that group come first, then the functions that are charted, then those to sort by.
std::optional<Reply> read_columns(const Call& call, std::string_view group_parameter, Question& question) {
  auto& facts = question.request.facts;
  const auto asked = call.query.all(group_parameter);
  const bool top = question.request.top > 0;
  for (const auto text : asked) {
    if (!top || text.find('(') != std::string_view::npos || text.starts_with(query::equation_prefix)) continue;
    if (const auto error = add_column(facts, text)) return fact_refusal(*error);
  }
  const auto groups = facts.fields.size();
  auto axes = call.query.all("yAxis");
  std::erase(axes, std::string_view());
  if (axes.empty()) axes.push_back("count()");
  if (axes.size() > most_axes) return Reply::error(400, "At most 10 values of yAxis can be asked for at a time.");
  for (const auto text : axes) {
    if (const auto error = add_column(facts, text)) return fact_refusal(*error);
  }
  question.request.charted_functions = facts.fields.size() - groups;
  for (auto i = groups; i < facts.fields.size(); ++i) {
    if (!facts.fields[i].is_function()) return Reply::error(400, "yAxis must be a function: " + facts.fields[i].text.substr(0, 200));
    question.axes.push_back(facts.fields[i].text);
  }
  for (const auto& equation : facts.equations) question.axes.push_back(equation.text());
  for (const auto text : asked) {
    if (!top || text.find('(') == std::string_view::npos || text.starts_with(query::equation_prefix)) continue;
    if (const auto error = add_column(facts, text)) return fact_refusal(*error);
  }
  if (!top) return std::nullopt;
  if (const auto error = add_sorts(call, facts)) return fact_refusal(*error);
  if (facts.sorts.empty() && facts.fields.size() > groups) facts.sorts.push_back({facts.fields[groups], true});
  for (const auto& sort : facts.sorts) {
    if (!sort.field.is_function()) continue;
    if (const auto error = add_column(facts, sort.field.text)) return fact_refusal(*error);
  }
  return std::nullopt;
}

std::variant<Question, Reply> read_question(Api& api, const Call& call, std::string_view group_parameter) {
  auto named = named_dataset(call);
  if (auto* refusal = std::get_if<Reply>(&named)) return std::move(*refusal);
  const auto& dataset = std::get<NamedDataset>(named);
  auto asked = fact_request(api, call, dataset.dataset);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  Question question;
  question.dataset = dataset.name;
  auto& request = question.request;
  request.facts = std::get<query::FactRequest>(std::move(asked));
  if (dataset.served_empty) request.facts.projects.clear();
  // No bucket of what is yet to come.
  if (const auto now = to_ms(request.facts.now); request.facts.from_ms < now) request.facts.to_ms = std::min(request.facts.to_ms, now);
  request.interval_ms = interval_of(call, request.facts.to_ms - request.facts.from_ms);
  request.others = call.query.text("excludeOther") != "1";
  if (const auto text = call.query.text("topEvents"); !text.empty()) {
    const auto top = read_number(text);
    if (!top) return Reply::error(400, "topEvents must be an integer");
    if (*top > static_cast<std::int64_t>(most_top)) return Reply::error(400, "Can only get up to 10 top events");
    if (*top < 0) return Reply::error(400, "If topEvents needs to be at least 1");
    request.top = static_cast<std::size_t>(*top);
  }
  if (const auto text = call.query.text("comparisonDelta"); !text.empty()) {
    const auto seconds = read_number(text);
    if (!seconds || *seconds <= 0 || *seconds > 366 * day_ms / 1000) return Reply::error(400, "comparisonDelta must be an integer");
    if (request.top > 0) return Reply::error(400, "comparisonDelta and topEvents cannot be asked for together");
    question.compared_ms = *seconds * 1000;
  }
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  request.facts.condition = *std::move(condition);
  if (auto refusal = read_columns(call, group_parameter, question)) return *std::move(refusal);
  return question;
}

double number_of(const query::FactCell& cell) {
  using Kind = query::FactValue::Kind;
  if (cell.kind == Kind::number) return cell.number;
  return cell.kind == Kind::integer || cell.kind == Kind::boolean ? static_cast<double>(cell.integer) : 0.0;
}

json::value render_number(const query::FactCell& cell) {
  if (cell.kind == query::FactValue::Kind::integer) return cell.integer;
  return number_of(cell);
}

// The page, and with it the one of the time before.
struct Found {
  query::SeriesPage page;
  std::optional<query::SeriesPage> before;
};
Result<Found> find(Api& api, const Question& question) {
  const auto snapshot = api.tables.snapshot();
  auto page = query::find_series(snapshot, question.request);
  if (!page) return page.error();
  Found found{*std::move(page), std::nullopt};
  if (question.compared_ms == 0) return found;
  auto earlier = question.request;
  earlier.facts.from_ms -= question.compared_ms;
  earlier.facts.to_ms -= question.compared_ms;
  auto before = query::find_series(snapshot, earlier);
  if (!before) return before.error();
  found.before = *std::move(before);
  return found;
}

const query::FactCell* compared(const Found& found, std::size_t axis, std::size_t bucket) {
  if (!found.before || bucket >= found.before->buckets) return nullptr;
  return &found.before->series.front().values[axis][bucket];
}

json::array render_group(const Question& question, const query::FactSeries& series) {
  json::array group;
  for (std::size_t i = 0; i < series.group.size(); ++i)
    group.push_back(json::object{{"key", question.request.facts.fields[i].text}, {"value", render_cell(series.group[i])}});
  return group;
}

json::object render_series(const Question& question, const Found& found, std::size_t index, std::size_t axis) {
  const auto& series = found.page.series[index];
  const auto& name = question.axes[axis];
  const auto interval = question.request.interval_ms;
  json::array values;
  for (std::size_t bucket = 0; bucket < found.page.buckets; ++bucket) {
    const auto at = found.page.from_ms + static_cast<std::int64_t>(bucket) * interval;
    const bool incomplete = at + interval > to_ms(question.request.facts.now);
    json::object value{{"timestamp", at}, {"value", render_number(series.values[axis][bucket])}, {"incomplete", incomplete}};
    if (incomplete) value["incompleteReason"] = "INCOMPLETE_BUCKET";
    if (const auto* before = compared(found, axis, bucket)) value["comparisonValue"] = render_number(*before);
    values.push_back(std::move(value));
  }
  const auto& type = found.page.types[axis];
  const auto unit = query::field_meta_unit(type, name);
  json::object meta{{"valueType", type},
                    {"valueUnit", unit ? json::value(*unit) : json::value(nullptr)},
                    {"interval", interval},
                    {"dataScanned", "full"}};
  json::object shown{{"yAxis", name}, {"values", std::move(values)}};
  if (question.request.top > 0) {
    meta["order"] = index;
    meta["isOther"] = series.others;
    shown["groupBy"] = render_group(question, series);
  }
  shown["meta"] = std::move(meta);
  return shown;
}

Reply list_timeseries(Api& api, const Call& call) {
  auto asked = read_question(api, call, "groupBy");
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  const auto& question = std::get<Question>(asked);
  if (question.request.top > 0 && question.request.facts.fields.front().is_function())
    return Reply::error(400, "groupBy is required with topEvents");
  const auto found = find(api, question);
  if (!found) return fact_refusal(found.error());
  json::array shown;
  for (std::size_t i = 0; i < found->page.series.size(); ++i) {
    for (std::size_t axis = 0; axis < question.axes.size(); ++axis) shown.push_back(render_series(question, *found, i, axis));
  }
  json::object meta{{"dataset", question.dataset},
                    {"start", question.request.facts.from_ms},
                    {"end", question.request.facts.to_ms}};
  return Reply::json(json::object{{"timeSeries", std::move(shown)}, {"meta", std::move(meta)}});
}

// ---- events-stats/ ---------------------------------------------------------------------------------

json::object render_stats_meta(const Question& question, const Found& found) {
  json::object fields{{"time", "date"}};
  json::object units{{"time", nullptr}};
  for (std::size_t axis = 0; axis < question.axes.size(); ++axis) {
    fields[question.axes[axis]] = found.page.types[axis];
    const auto unit = query::field_meta_unit(found.page.types[axis], question.axes[axis]);
    units[question.axes[axis]] = unit ? json::value(*unit) : json::value(nullptr);
  }
  return {{"fields", std::move(fields)}, {"units", std::move(units)}, {"isMetricsData", false},
          {"isMetricsExtractedData", false}, {"datasetReason", "unchanged"}, {"dataset", question.dataset}};
}

// [[seconds, [{"count": n}]], …]
json::object render_stats(const Question& question, const Found& found, std::size_t index, std::size_t axis) {
  json::array data;
  for (std::size_t bucket = 0; bucket < found.page.buckets; ++bucket) {
    const auto at = found.page.from_ms + static_cast<std::int64_t>(bucket) * question.request.interval_ms;
    json::object value{{"count", render_number(found.page.series[index].values[axis][bucket])}};
    if (const auto* before = compared(found, axis, bucket)) value["comparisonCount"] = render_number(*before);
    data.push_back(json::array{at / 1000, json::array{std::move(value)}});
  }
  return {{"data", std::move(data)},
          {"start", question.request.facts.from_ms / 1000},
          {"end", question.request.facts.to_ms / 1000},
          {"isMetricsData", false},
          {"meta", render_stats_meta(question, found)}};
}

// One series as it is, several by their yAxis.
json::object render_axes(const Question& question, const Found& found, std::size_t index) {
  if (question.axes.size() == 1) return render_stats(question, found, index, 0);
  json::object shown;
  for (std::size_t axis = 0; axis < question.axes.size(); ++axis) {
    auto one = render_stats(question, found, index, axis);
    one["order"] = axis;
    shown[question.axes[axis]] = std::move(one);
  }
  return shown;
}

// "production,/checkout": the values of the group in the order of their fields' names.
std::string label_of(const Question& question, const query::FactSeries& series) {
  if (series.others) return "Other";
  std::vector<std::pair<std::string_view, std::string>> parts;
  for (std::size_t i = 0; i < series.group.size(); ++i) {
    const auto& cell = series.group[i];
    const query::FactValue value{.kind = cell.kind, .integer = cell.integer, .number = cell.number, .text = cell.text};
    parts.emplace_back(question.request.facts.fields[i].text, value.as_text());
  }
  std::ranges::sort(parts);
  std::string label;
  for (const auto& [field, text] : parts) label += (label.empty() ? "" : ",") + text;
  return label;
}

Reply list_stats(Api& api, const Call& call) {
  auto asked = read_question(api, call, "field");
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  const auto& question = std::get<Question>(asked);
  if (question.request.top > 0 && question.request.facts.fields.front().is_function())
    return Reply::error(400, "field is required with topEvents");
  const auto found = find(api, question);
  if (!found) return fact_refusal(found.error());
  if (question.request.top == 0) return Reply::json(render_axes(question, *found, 0));
  json::object shown;
  for (std::size_t i = 0; i < found->page.series.size(); ++i) {
    auto one = render_axes(question, *found, i);
    one["order"] = i;
    shown[label_of(question, found->page.series[i])] = std::move(one);
  }
  return Reply::json(std::move(shown));
}

}  // namespace

std::vector<Route> timeseries_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/events-timeseries/", read, list_timeseries},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/events-stats/", read, list_stats},
  };
}

}  // namespace picket::rest

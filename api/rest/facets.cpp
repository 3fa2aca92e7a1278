// events-facets/: the tags of the events that a query finds, and how often each value is there.
#include "api/digest/derived_tags.h"
#include "api/query/answer_budget.h"
#include "api/rest/fact_request.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using facts::Dataset;
using facts::ValueType;

constexpr std::size_t top_values = 10;

// What an event has beside its tags.
bool is_tag(std::string_view name) {
  constexpr std::array<std::string_view, 12> fields = {
      "title", "message", "culprit", "event.type", "platform", "http.method", "error.mechanism",
      "origin", "project", "transaction.op", "transaction.status", "transaction.source"};
  return !name.starts_with('@') && !digest::is_flag_key(name) && !name.starts_with("user.") && !name.starts_with("sdk.") &&
         std::ranges::find(fields, name) == fields.end();
}

class Facets {
 public:
  bool add(query::BlockFields& fields, std::size_t row) {
    bool room = true;
    for (const auto& column : fields.block().columns()) {
      if (column.type != ValueType::text || !is_tag(column.name)) continue;
      const auto& value = tag(fields, column.name)[row];
      if (value.there()) room = count(column.name, value.text) && room;
    }
    return count_project(fields.project()) && room;
  }

  bool exhausted() const { return budget_.exhausted(); }
  Error error() const { return budget_.error(); }

  // Those most often there first, the project before all.
  json::array render() const {
    std::vector<std::pair<std::uint64_t, const std::string*>> order;
    for (const auto& [key, values] : counts_) {
      std::uint64_t total = 0;
      for (const auto& [value, count] : values) total += count;
      order.emplace_back(total, &key);
    }
    std::ranges::sort(order, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : *a.second < *b.second;
    });
    json::array shown;
    if (!projects_.empty()) shown.push_back(json::object{{"key", "project"}, {"topValues", render_projects()}});
    for (const auto& [total, key] : order)
      shown.push_back(json::object{{"key", *key}, {"topValues", render_values(counts_.at(*key))}});
    return shown;
  }

 private:
  using Counts = std::unordered_map<std::string, std::uint64_t>;

  const std::vector<query::FactValue>& tag(query::BlockFields& fields, std::string_view name) {
    auto known = tags_.find(name);
    if (known == tags_.end()) {
      query::FieldExpression field;
      field.text = "tags[" + std::string(name) + "]";
      field.name = name;
      field.explicit_tag = true;
      known = tags_.emplace(name, std::move(field)).first;
    }
    return fields.values(known->second);
  }

  bool count(std::string_view key, std::string_view value) {
    auto values = counts_.find(key);
    if (values == counts_.end()) values = counts_.emplace(key, Counts()).first;
    const auto [place, added] = values->second.try_emplace(std::string(value), 0);
    ++place->second;
    return !added || budget_.take(value.size() + 96);
  }
  bool count_project(const query::FactProject& project) {
    ++projects_[project.id].second;
    projects_[project.id].first = project.slug;
    return true;
  }

  static json::array render_values(const Counts& values) {
    std::vector<std::pair<std::uint64_t, std::string_view>> order;
    for (const auto& [value, count] : values) order.emplace_back(count, value);
    std::ranges::sort(order, [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    if (order.size() > top_values) order.resize(top_values);
    json::array shown;
    for (const auto& [count, value] : order) {
      const auto text = replace_invalid_utf8(value);
      shown.push_back(json::object{{"name", text}, {"value", text}, {"count", count}});
    }
    return shown;
  }
  json::array render_projects() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> order;
    for (const auto& [id, project] : projects_) order.emplace_back(project.second, id);
    std::ranges::sort(order, std::greater<>());
    if (order.size() > top_values) order.resize(top_values);
    json::array shown;
    for (const auto& [count, id] : order)
      shown.push_back(json::object{{"name", projects_.at(id).first}, {"value", std::to_string(id)}, {"count", count}});
    return shown;
  }

  query::AnswerBudget budget_;
  std::map<std::string, query::FieldExpression, std::less<>> tags_;
  std::map<std::string, Counts, std::less<>> counts_;
  std::map<std::uint64_t, std::pair<std::string, std::uint64_t>> projects_;  // slug, count
};

Reply list_facets(Api& api, const Call& call) {
  const auto named = named_dataset(call);
  if (const auto* refusal = std::get_if<Reply>(&named)) return *refusal;
  const auto& dataset = std::get<NamedDataset>(named);
  auto asked = fact_request(api, call, dataset.dataset);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  auto& request = std::get<query::FactRequest>(asked);
  if (dataset.served_empty) request.projects.clear();
  auto condition = query::parse_condition(call.query.text("query"), query::fact_language(), api.clock.now());
  if (!condition) return fact_refusal(condition.error());
  request.condition = *std::move(condition);
  Facets facets;
  const auto walked = query::for_each_fact(api.tables.snapshot(), request,
                                           [&](query::BlockFields& fields, std::size_t row) { return facets.add(fields, row); });
  if (!walked) return fact_refusal(walked.error());
  if (facets.exhausted()) return fact_refusal(facets.error());
  return paginate(api, call, facets.render());
}

}  // namespace

std::vector<Route> facet_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  return {{"GET", "/api/0/organizations/{organization_id_or_slug}/events-facets/", read, list_facets}};
}

}  // namespace picket::rest

// discover/saved/: questions to events that people keep under a name.
#include "api/query/equation.h"
#include "api/rest/access.h"
#include "api/rest/changes.h"
#include "api/rest/fact_request.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::rest {
namespace {

namespace json = boost::json;
using buffer::Batch;
using buffer::Key;
using buffer::Table;

constexpr std::size_t most_queries = 1'000;  // of an organization
constexpr std::size_t most_entries = 100;    // of a list
constexpr std::size_t most_columns = 20;
constexpr std::size_t most_text = 4096;

std::optional<schema::SavedQuery> find_query(const buffer::Reader& reader, const Call& call) {
  const auto id = parse_id(call.path_text("query_id"));
  if (!id) return std::nullopt;
  return buffer::find_row<schema::SavedQuery>(reader, Table::saved_queries, Key().u64(call.organization->id()).u64(*id));
}

void put_query(Batch& batch, const schema::SavedQuery& query) {
  buffer::put_row(batch, Table::saved_queries, Key().u64(query.organization()).u64(query.id()), query);
}

std::vector<schema::SavedQuery> queries_of(const buffer::Reader& reader, std::uint64_t organization) {
  std::vector<schema::SavedQuery> queries;
  for_each(reader, Table::saved_queries, Key().u64(organization), [&](std::string_view, std::string_view value) {
    queries.push_back(buffer::parse_row<schema::SavedQuery>(value));
    return true;
  });
  return queries;
}

json::object render_query(const buffer::Reader& reader, const schema::SavedQuery& query) {
  auto shown = parse_options(query.content_json());
  shown["id"] = std::to_string(query.id());
  shown["name"] = query.name();
  json::array projects;
  for (const auto id : query.projects()) projects.push_back(id);
  shown["projects"] = std::move(projects);
  shown["version"] = 2;
  shown["queryDataset"] = query.dataset();
  shown["datasetSource"] = "user";
  shown["expired"] = false;
  shown["dateCreated"] = render_time(query.created_ms());
  shown["dateUpdated"] = render_time(query.updated_ms());
  const auto user = query.created_by() == 0
                        ? std::nullopt
                        : buffer::find_row<schema::User>(reader, Table::users, Key().u64(query.created_by()));
  shown["createdBy"] = user ? json::value(render_user(*user)) : json::value(nullptr);
  return shown;
}

// ---- reading one -----------------------------------------------------------------------------------

void keep_text(Fields& fields, std::string_view name, json::object& content) {
  if (auto text = fields.text(name, {.most = most_text, .blank = true})) content[name] = *text;
}

void keep_texts(Fields& fields, std::string_view name, json::object& content) {
  const auto* list = fields.list(name);
  if (list == nullptr) return;
  if (list->size() > most_entries) return fields.fail(name, "Ensure this field has no more than 100 elements.");
  json::array kept;
  for (const auto& entry : *list) {
    if (auto text = fields.text_item(name, entry, {.most = most_text, .blank = true})) kept.push_back(json::string(*text));
  }
  content[name] = std::move(kept);
}

// As Sentry's own page sends it: one text, or a list of them.
void keep_axes(const Call& call, Fields& fields, json::object& content) {
  const auto* value = call.field("yAxis");
  if (value == nullptr || !value->is_string()) return keep_texts(fields, "yAxis", content);
  if (auto text = fields.text("yAxis", {.most = most_text})) content["yAxis"] = json::array{json::string(*text)};
}

void check_columns(Fields& fields, const json::object& content, Time now) {
  for (const std::string_view name : {"fields", "yAxis"}) {
    const auto* list = content.if_contains(name);
    if (list == nullptr) continue;
    query::FactRequest request;
    for (const auto& entry : list->as_array()) {
      if (const auto error = add_column(request, std::string_view(entry.as_string()))) fields.fail(name, replace_invalid_utf8(error->detail));
    }
    if (request.fields.size() + request.equations.size() > most_columns) fields.fail(name, "At most 20 fields can be kept.");
  }
  const auto* text = content.if_contains("query");
  if (text == nullptr) return;
  const auto parsed = query::parse_condition(text->as_string(), query::fact_language(), now);
  if (!parsed) fields.fail("query", replace_invalid_utf8(parsed.error().detail));
}

void keep_time(Fields& fields, std::string_view name, json::object& content) {
  if (const auto ms = fields.time(name)) content[name] = render_time(*ms);
}

// The projects named, all of this organization.
void read_projects(const buffer::Reader& reader, const Call& call, Fields& fields, schema::SavedQuery& query) {
  query.clear_projects();
  const auto* list = fields.list("projects");
  if (list == nullptr) return;
  if (list->size() > most_entries) return fields.fail("projects", "Ensure this field has no more than 100 elements.");
  const auto known = projects_of(reader, call.organization->id());
  for (const auto& entry : *list) {
    const auto id = entry.is_int64() && entry.get_int64() > 0 ? static_cast<std::uint64_t>(entry.get_int64()) : 0;
    const bool there = std::ranges::any_of(known, [&](const schema::Project& project) { return project.id() == id; });
    if (!there) return fields.fail("projects", "You do not have access to one or more of the selected projects.");
    query.add_projects(id);
  }
}

// Everything that the body says, in place of what the query was.
std::optional<Reply> read_query(const buffer::Reader& reader, const Call& call, Time now, schema::SavedQuery& query) {
  Fields fields(call);
  const auto name = fields.text("name", {.most = 255, .required = true});
  const auto dataset = fields.text("queryDataset");
  constexpr std::array<std::string_view, 3> datasets = {"discover", "error-events", "transaction-like"};
  if (dataset && std::ranges::find(datasets, *dataset) == datasets.end())
    fields.fail("queryDataset", "\"" + *dataset + "\" is not a valid choice.");
  json::object content;
  for (const auto* member : {"query", "orderby", "range", "display", "interval"}) keep_text(fields, member, content);
  for (const auto* member : {"fields", "environment", "widths"}) keep_texts(fields, member, content);
  keep_axes(call, fields, content);
  keep_time(fields, "start", content);
  keep_time(fields, "end", content);
  if (const auto top = fields.integer("topEvents", 1, 10)) content["topEvents"] = *top;
  read_projects(reader, call, fields, query);
  check_columns(fields, content, now);
  if (content.contains("range") && !content.at("range").as_string().empty() && !parse_stats_period(content.at("range").as_string()))
    fields.fail("range", "Invalid range");
  if (auto refusal = fields.refusal()) return refusal;
  query.set_name(*name);
  query.set_dataset(dataset.value_or("error-events"));
  query.set_content_json(json::serialize(content));
  return std::nullopt;
}

// ---- endpoints -------------------------------------------------------------------------------------

// False for an order that is none. By name first, so that equals stay in it.
bool sort_queries(std::vector<schema::SavedQuery>& queries, std::string_view order, std::uint64_t user) {
  std::ranges::stable_sort(queries, {}, [](const schema::SavedQuery& query) { return query.name(); });
  const bool descending = order.starts_with('-');
  if (descending) order.remove_prefix(1);
  const auto by = [&](bool greatest_first, auto key) {
    std::ranges::stable_sort(queries, [&](const auto& a, const auto& b) { return greatest_first ? key(a) > key(b) : key(a) < key(b); });
  };
  if (order.empty() || order == "name") {
    if (descending) std::ranges::reverse(queries);
  } else if (order == "dateCreated") {
    by(descending, [](const auto& query) { return query.created_ms(); });
  } else if (order == "dateUpdated") {
    by(descending, [](const auto& query) { return query.updated_ms(); });
  } else if (order == "mostPopular") {
    by(!descending, [](const auto& query) { return query.visits(); });
  } else if (order == "recentlyViewed") {
    by(!descending, [](const auto& query) { return query.visited_ms(); });
  } else if (order == "myqueries") {
    by(true, [&](const auto& query) { return query.created_by() == user; });
  } else {
    return false;
  }
  return true;
}

Reply list_queries(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  auto queries = queries_of(snapshot, call.organization->id());
  auto wanted = call.query.text("query");
  if (wanted.starts_with("name:")) wanted.remove_prefix(5);
  std::erase_if(queries, [&](const schema::SavedQuery& query) { return !contains_text(query.name(), wanted); });
  const auto user = call.caller.user ? call.caller.user->id() : 0;
  if (!sort_queries(queries, call.query.text("sortBy"), user)) return Reply::error(400, "Invalid sortBy");
  json::array shown;
  for (const auto& query : queries) shown.push_back(render_query(snapshot, query));
  return paginate(api, call, std::move(shown));
}

Reply create_query(Api& api, const Call& call) {
  std::optional<Reply> made;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (queries_of(batch, call.organization->id()).size() >= most_queries)
      return Reply::error(400, "This organization has 1000 saved queries; delete some first.");
    schema::SavedQuery query;
    if (auto wrong = read_query(batch, call, api.clock.now(), query)) return wrong;
    query.set_id(batch.next_number("saved_query"));
    query.set_organization(call.organization->id());
    if (call.caller.user) query.set_created_by(call.caller.user->id());
    query.set_created_ms(to_ms(api.clock.now()));
    query.set_updated_ms(query.created_ms());
    put_query(batch, query);
    made = Reply::json(render_query(batch, query), 201);
    return std::nullopt;
  });
  return refusal ? *refusal : *std::move(made);
}

Reply get_query(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto query = find_query(snapshot, call);
  return query ? Reply::json(render_query(snapshot, *query)) : Reply::not_found();
}

Reply update_query(Api& api, const Call& call) {
  std::optional<Reply> changed;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto query = find_query(batch, call);
    if (!query) return Reply::not_found();
    if (auto wrong = read_query(batch, call, api.clock.now(), *query)) return wrong;
    query->set_updated_ms(to_ms(api.clock.now()));
    put_query(batch, *query);
    changed = Reply::json(render_query(batch, *query));
    return std::nullopt;
  });
  return refusal ? *refusal : *std::move(changed);
}

Reply delete_query(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto query = find_query(batch, call);
    if (!query) return Reply::not_found();
    batch.remove(Table::saved_queries, Key().u64(query->organization()).u64(query->id()));
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

// Somebody looked at it: what `mostPopular` and `recentlyViewed` sort by.
Reply visit_query(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto query = find_query(batch, call);
    if (!query) return Reply::not_found();
    query->set_visits(query->visits() + 1);
    query->set_visited_ms(to_ms(api.clock.now()));
    put_query(batch, *query);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

}  // namespace

std::vector<Route> saved_query_routes() {
  const std::vector<std::string_view> any = {"org:read", "org:write", "org:admin"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/discover/saved/", any, list_queries},
      {"POST", "/api/0/organizations/{organization_id_or_slug}/discover/saved/", any, create_query},
      {"GET", "/api/0/organizations/{organization_id_or_slug}/discover/saved/{query_id}/", any, get_query},
      {"PUT", "/api/0/organizations/{organization_id_or_slug}/discover/saved/{query_id}/", any, update_query},
      {"DELETE", "/api/0/organizations/{organization_id_or_slug}/discover/saved/{query_id}/", any, delete_query},
      {"POST", "/api/0/organizations/{organization_id_or_slug}/discover/saved/{query_id}/visit/", any, visit_query},
  };
}

}  // namespace picket::rest

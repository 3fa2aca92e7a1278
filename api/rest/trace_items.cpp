// Trace items: which attributes there are, and one item with all of its own.
#include "api/facts/store.h"
#include "api/query/pattern.h"
#include "api/rest/attachment_rows.h"
#include "api/rest/fact_request.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace picket::rest {
namespace {

namespace json = boost::json;
using facts::Dataset;
using facts::ValueType;

std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::text:
    case ValueType::id: return "string";
    case ValueType::integer:
    case ValueType::number: return "number";
    case ValueType::boolean: return "boolean";
    case ValueType::array: return "array";
  }
  std::abort();
}

bool is_built_in(std::string_view name) {
  constexpr std::array<std::string_view, 26> names = {
      "id", "trace", "parent_span", "transaction", "is_transaction", "release", "environment", "dist", "platform",
      "origin", "message", "severity", "severity_number", "value", "timestamp", "project", "user", "span_id", "title",
      "culprit", "level", "metric.name", "metric.type", "metric.unit", "profile.id", "replay.id"};
  return std::ranges::find(names, name) != names.end() || name.starts_with("span.") || name.starts_with("sdk.") ||
         name.starts_with("user.") || name.starts_with("transaction.") || name.starts_with("measurements.") ||
         name.starts_with("sentry.");
}

json::object render_attribute(std::string_view name, std::string_view type) {
  const bool known = is_built_in(name);
  const bool own = known && (name != "value" || type == "number");  // the number of a metric
  const std::string key = own || (type == "string" && !known) ? std::string(name)
                                                  : "tags[" + std::string(name) + "," + std::string(type) + "]";
  return {{"key", key},
          {"name", name},
          {"secondaryAliases", json::array()},
          {"attributeSource", json::object{{"source_type", own ? "sentry" : "user"}}},
          {"attributeType", type}};
}

Reply list_attributes(Api& api, const Call& call) {
  auto word = call.query.text("dataset");
  if (word.empty()) word = call.query.text("itemType");
  if (word.empty()) word = "spans";
  const bool none = word == "preprod" || word == "processing_errors";
  const auto dataset = parse_dataset(word);
  if (!dataset && !none) return Reply::error(400, "dataset must be one of: logs, spans, tracemetrics");
  auto asked = fact_request(api, call, dataset.value_or(Dataset::spans));
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  const auto& request = std::get<query::FactRequest>(asked);
  std::set<std::string, std::less<>> types;
  for (const auto type : call.query.all("attributeType")) {
    if (type != "string" && type != "number" && type != "boolean" && type != "array")
      return Reply::error(400, "attributeType must be one of: string, number, boolean, array");
    types.emplace(type);
  }
  // Clients that name no type do not know arrays.
  if (types.empty()) types = {"string", "number", "boolean"};
  const auto wanted = query::lower_ascii(call.query.text("substringMatch"));
  std::set<std::pair<std::string, std::string_view>> found;
  const auto snapshot = api.tables.snapshot();
  for (const auto& project : request.projects) {
    if (none) break;
    facts::for_each_block(snapshot, request.dataset, project.id, [&](const facts::BlockView& block) {
      if (block.latest_ns() < request.from_ms * 1'000'000 || block.earliest_ns() >= request.to_ms * 1'000'000) return true;
      for (const auto& column : block.columns()) {
        if (column.name.starts_with('@')) continue;
        const auto type = type_name(column.type);
        if (!types.contains(type)) continue;
        if (query::lower_ascii(column.name).find(wanted) == std::string::npos) continue;
        found.emplace(column.name, type);
      }
      return found.size() < 20'000;
    });
  }
  json::array attributes;
  for (const auto& [name, type] : found) attributes.push_back(render_attribute(name, type));
  return paginate(api, call, std::move(attributes));
}

json::value render_attribute_value(const query::FactValue& value) {
  return render_cell(query::cell_of(value));
}

std::string_view value_type(query::FactValue::Kind kind) {
  using Kind = query::FactValue::Kind;
  switch (kind) {
    case Kind::integer: return "int";
    case Kind::number: return "float";
    case Kind::boolean: return "bool";
    case Kind::array: return "array";
    case Kind::text:
    case Kind::none: return "str";
  }
  std::abort();
}

json::object render_item(query::BlockFields& fields, std::size_t row, std::string_view id) {
  json::array attributes;
  const auto add = [&](std::string_view name, const query::FactValue& value) {
    attributes.push_back(json::object{{"name", name}, {"type", value_type(value.kind)}, {"value", render_attribute_value(value)}});
  };
  std::set<std::pair<std::string_view, ValueType>> shown;
  for (const auto& column : fields.block().columns()) {
    if (column.name.starts_with('@') || column.name == "issue.id") continue;
    auto field = fact_field(column.name);
    field.explicit_tag = true;
    const auto type = type_name(column.type);
    field.type = type == "string" ? query::FieldType::text : type == "number" ? query::FieldType::number
                 : type == "boolean" ? query::FieldType::boolean : query::FieldType::array;
    field.text = "tags[" + field.name + "," + std::string(type) + "]";
    const auto& value = fields.values(field)[row];
    if (value.there()) add(column.name, value);
  }
  for (const std::string_view name : {"project.id", "precise.start_ts"}) add(name, fields.values(fact_field(name))[row]);
  return {{"itemId", id},
          {"timestamp", render_time(fields.time_ns(row) / 1'000'000)},
          {"attributes", std::move(attributes)},
          {"meta", json::object()},
          {"links", nullptr}};
}

Reply get_item(Api& api, const Call& call) {
  const auto id = call.path_text("item_id");
  auto word = call.query.text("item_type");
  if (word.empty()) word = call.query.text("itemType");
  if (word == "attachments") return show_trace_attachment(api, call);
  auto dataset = word.empty() ? std::optional(Dataset::spans) : parse_dataset(word);
  const auto placed = query::parse_item_id(id);
  if (placed) dataset = placed->dataset;
  if (!dataset) return Reply::error(400, "item_type must be one of: attachments, logs, spans, tracemetrics");
  auto asked = fact_request(api, call, *dataset);
  if (auto* refusal = std::get_if<Reply>(&asked)) return std::move(*refusal);
  auto& request = std::get<query::FactRequest>(asked);
  request.projects = {{call.project->id(), call.project->slug(), call.project->name()}};
  request.condition = fact_condition(placed ? "sentry.item_id" : "id", id);
  std::optional<json::object> shown;
  const auto snapshot = api.tables.snapshot();
  const auto walked = query::for_each_fact(snapshot, request, [&](query::BlockFields& fields, std::size_t row) {
    shown = render_item(fields, row, id);
    return false;
  });
  if (!walked) return fact_refusal(walked.error());
  if (!shown) return Reply::not_found();
  return Reply::json(*std::move(shown));
}

}  // namespace

std::vector<Route> trace_item_routes() {
  const std::vector<std::string_view> read = {"org:read", "org:write", "org:admin", "event:read"};
  const std::vector<std::string_view> read_project = {"project:read", "project:write", "project:admin", "event:read"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/trace-items/attributes/", read, list_attributes},
      {"GET", "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/trace-items/{item_id}/", read_project, get_item},
  };
}

}  // namespace picket::rest

// Environments: of a project (list, get, hide and show) and of an organization (list).
#include "api/rest/access.h"
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <map>

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

std::vector<std::string> environment_names(const buffer::Reader& reader, std::uint64_t project) {
  std::vector<std::string> names;
  for_each(reader, Table::environments, Key().u64(project),
           [&](std::string_view rest, std::string_view) {
             names.emplace_back(KeyReader(rest).text());
             return true;
           });
  return names;
}

namespace {

json::object render_environment(std::string_view name, const schema::EnvironmentRow& row) {
  return {{"id", std::to_string(row.id())}, {"name", name}, {"isHidden", row.hidden()}};
}

std::optional<Reply> check_visibility(const Call& call) {
  const auto visibility = call.query.text("visibility");
  for (const std::string_view known : {"", "all", "hidden", "visible"}) {
    if (visibility == known) return std::nullopt;
  }
  return Reply::error(
      400, "Invalid value for 'visibility', valid values are: ['all', 'hidden', 'visible']");
}

bool wanted(const Call& call, const schema::EnvironmentRow& row) {
  const auto visibility = call.query.text("visibility");
  return visibility == "all" || row.hidden() == (visibility == "hidden");
}

// The environments of one project, by name.
std::map<std::string, schema::EnvironmentRow> environments_of(const buffer::Reader& reader,
                                                              std::uint64_t project) {
  std::map<std::string, schema::EnvironmentRow> rows;
  for_each(reader, Table::environments, Key().u64(project),
           [&](std::string_view rest, std::string_view value) {
             rows.emplace(KeyReader(rest).text(), buffer::parse_row<schema::EnvironmentRow>(value));
             return true;
           });
  return rows;
}

Reply list_of_project(Api& api, const Call& call) {
  if (auto refusal = check_visibility(call)) return *refusal;
  json::array list;
  for (const auto& [name, row] : environments_of(api.tables.snapshot(), call.project->id())) {
    if (wanted(call, row)) list.push_back(render_environment(name, row));
  }
  return Reply::json(std::move(list));
}

// One entry for each name, whatever the number of projects that have it.
Reply list_of_organization(Api& api, const Call& call) {
  if (auto refusal = check_visibility(call)) return *refusal;
  const auto projects = selected_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&projects)) return *refusal;
  std::map<std::string, std::uint64_t> ids;
  const auto snapshot = api.tables.snapshot();
  for (const auto& project : std::get<std::vector<schema::Project>>(projects)) {
    for (const auto& [name, row] : environments_of(snapshot, project.id())) {
      if (!wanted(call, row)) continue;
      auto [place, added] = ids.emplace(name, row.id());
      if (!added) place->second = std::min(place->second, row.id());
    }
  }
  json::array list;
  for (const auto& [name, id] : ids)
    list.push_back(json::object{{"id", std::to_string(id)}, {"name", name}});
  return Reply::json(std::move(list));
}

std::optional<schema::EnvironmentRow> find_environment(const buffer::Reader& reader,
                                                       std::uint64_t project,
                                                       std::string_view name) {
  return buffer::find_row<schema::EnvironmentRow>(reader, Table::environments,
                                                  Key().u64(project).text(name));
}

Reply get_environment(Api& api, const Call& call) {
  const auto name = call.path_text("environment");
  const auto row = find_environment(api.tables.snapshot(), call.project->id(), name);
  return row ? Reply::json(render_environment(name, *row)) : Reply::not_found();
}

// Hides or shows all of `names`, or none when one of them does not exist.
Reply set_hidden(
    Api& api, const Call& call, const std::vector<std::string>& names, bool hidden, bool one) {
  json::array list;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    for (const auto& name : names) {
      auto row = find_environment(batch, call.project->id(), name);
      if (!row)
        return one ? Reply::not_found()
                   : Reply::field_error("environmentNames", "Unknown environment: " + name);
      row->set_hidden(hidden);
      buffer::put_row(batch, Table::environments, Key().u64(call.project->id()).text(name), *row);
      list.push_back(render_environment(name, *row));
    }
    return std::nullopt;
  });
  if (refusal) return *refusal;
  if (one) return Reply::json(std::move(list.front()));
  return Reply::json(std::move(list));
}

Reply update_environment(Api& api, const Call& call) {
  Fields fields(call);
  const auto hidden = fields.flag("isHidden");
  if (!hidden && !fields.refusal()) fields.fail("isHidden", "This field is required.");
  if (auto refusal = fields.refusal()) return *refusal;
  return set_hidden(api, call, {std::string(call.path_text("environment"))}, *hidden, true);
}

Reply update_environments(Api& api, const Call& call) {
  Fields fields(call);
  const auto hidden = fields.flag("isHidden");
  if (!hidden && !fields.refusal()) fields.fail("isHidden", "This field is required.");
  std::vector<std::string> names;
  if (const auto* list = fields.list("environmentNames", true)) {
    for (const auto& item : *list) {
      if (const auto name = fields.text_item("environmentNames", item, {})) names.push_back(*name);
    }
  }
  if (auto refusal = fields.refusal()) return *refusal;
  return set_hidden(api, call, names, *hidden, false);
}

}  // namespace

std::vector<Route> environment_routes() {
  constexpr std::string_view all =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/environments/";
  constexpr std::string_view one =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/environments/{environment}/";
  return {
      {"GET", all, {"project:read"}, list_of_project},
      {"PUT", all, {"project:write"}, update_environments},
      {"GET", one, {"project:read"}, get_environment},
      {"PUT", one, {"project:write"}, update_environment},
      {"GET",
       "/api/0/organizations/{organization_id_or_slug}/environments/",
       {"org:read"},
       list_of_organization},
  };
}

}  // namespace picket::rest

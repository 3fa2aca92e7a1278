// A project's inbound filters, and spike protection for projects of an organization.
#include "api/rest/changes.h"
#include "api/rest/data_settings.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"
#include "relay/filter/user_agent.h"

#include <array>
#include <string>

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;

namespace {

constexpr std::array<std::string_view, 7> filter_ids{
    "browser-extensions", "chunk-load-error", "filtered-transaction",  "legacy-browsers",
    "localhost",          "react-hydration-errors", "web-crawlers"};
constexpr std::string_view legacy_browsers = "legacy-browsers";

std::string option_name(std::string_view id) {
  return "filters:" + std::string(id);
}

// true, 1, "1" and lists with something in them are on.
json::value render_active(std::string_view id, const json::value& stored) {
  if (const auto* list = stored.if_array()) {
    if (id != legacy_browsers || list->empty()) return !list->empty();
    return *list;
  }
  if (stored.is_bool()) return stored;
  if (stored.is_string()) return stored == "1" || stored == "true";
  return stored.is_int64() && stored.get_int64() != 0;
}

Reply list_filters(Api&, const Call& call) {
  json::array list;
  for (const auto id : filter_ids) {
    list.push_back(json::object{
        {"id", id},
        {"active",
         render_active(id, stored_option(call.project->options_json(), option_name(id)))}});
  }
  return Reply::json(std::move(list));
}

// Sets options of the project and tells intake.
std::optional<Reply> set_options(Batch& batch, schema::Project& row, json::object options) {
  json::object changes{{"options", std::move(options)}};
  merge_option_map(row.options_json(), changes);
  auto merged = merge_options(row.options_json(), changes);
  if (!merged) return Reply::error(400, "The settings are too large.");
  row.set_options_json(*std::move(merged));
  put_project(batch, row);
  return std::nullopt;
}

// What the body says the filter is to be, or what is wrong with it.
json::value parse_wanted(Fields& fields, std::string_view id) {
  const auto active = fields.flag("active");
  if (id == legacy_browsers) {
    if (const auto* list = fields.list("subfilters")) {
      json::array kept;
      for (const auto& item : *list) {
        const auto name = fields.text_item("subfilters", item, {.most = 64});
        if (!name) continue;
        if (!filter::LegacyBrowsers::known(*name)) {
          fields.fail("subfilters", "\"" + *name + "\" is not a valid choice.");
        }
        kept.emplace_back(json::string(*name));
      }
      return kept;
    }
  }
  if (!active) {
    const bool either = id == legacy_browsers;
    if (!fields.has("active")) fields.fail(either ? "subfilters" : "active", "This field is required.");
    return nullptr;
  }
  return *active;
}

Reply update_filter(Api& api, const Call& call) {
  auto id = std::string(call.path_text("filter_id"));
  if (id == "legacy-browser") id = legacy_browsers;  // as the document spells it
  if (std::find(filter_ids.begin(), filter_ids.end(), id) == filter_ids.end())
    return Reply::not_found();
  Fields fields(call);
  auto wanted = parse_wanted(fields, id);
  if (auto refusal = fields.refusal()) return *refusal;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto row = find_project(batch, call.organization->id(), std::to_string(call.project->id()));
    if (!row) return Reply::not_found();
    return set_options(batch, *row, json::object{{option_name(id), wanted}});
  });
  return refusal ? *refusal : Reply::none();
}

// The projects that the body names by slug; "$all" for every one.
std::vector<schema::Project> parse_projects(Fields& fields,
                                            const buffer::Reader& reader,
                                            const Call& call) {
  std::vector<schema::Project> chosen;
  const auto* list = fields.list("projects", true);
  if (list == nullptr) return chosen;
  const auto all = projects_of(reader, call.organization->id());
  std::string unknown;
  for (const auto& item : *list) {
    const auto slug = fields.text_item("projects", item, {.most = 100});
    if (!slug) continue;
    if (*slug == "$all") return all;
    const auto found = std::find_if(all.begin(), all.end(), [&](const schema::Project& project) {
      return project.slug() == *slug;
    });
    if (found == all.end()) {
      unknown += (unknown.empty() ? "" : ", ") + *slug;
    } else {
      chosen.push_back(*found);
    }
  }
  if (!unknown.empty()) fields.fail("projects", "Invalid project slugs: " + unknown);
  return chosen;
}

Reply set_spike_protection(Api& api, const Call& call, bool protect) {
  Fields fields(call);
  const auto projects = parse_projects(fields, api.tables.snapshot(), call);
  if (auto refusal = fields.refusal()) return *refusal;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    for (const auto& project : projects) {
      auto row = find_project(batch, call.organization->id(), std::to_string(project.id()));
      if (!row) continue;
      if (auto refused = set_options(
              batch, *row, json::object{{"quotas:spike-protection-disabled", !protect}}))
        return refused;
    }
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(json::object(), protect ? 201 : 200);
}

Reply protect(Api& api, const Call& call) {
  return set_spike_protection(api, call, true);
}
Reply unprotect(Api& api, const Call& call) {
  return set_spike_protection(api, call, false);
}

}  // namespace

std::vector<Route> project_filter_routes() {
  constexpr std::string_view spikes =
      "/api/0/organizations/{organization_id_or_slug}/spike-protections/";
  return {
      {"GET",
       "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/filters/",
       {"project:read"},
       list_filters},
      {"PUT",
       "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/filters/{filter_id}/",
       {"project:write"},
       update_filter},
      {"POST", spikes, {"project:write"}, protect},
      {"DELETE", spikes, {"project:write"}, unprotect},
  };
}

}  // namespace picket::rest

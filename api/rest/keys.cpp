// Client keys of a project: list, get, create, update, delete; all of an organization's.
#include "api/rest/changes.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;

namespace {

// "active", "inactive", or nothing for both.
bool wanted_status(const Call& call, const schema::ProjectKey& key) {
  const auto status = call.query.text("status");
  return status.empty() || (status == "active") == !key.disabled();
}

std::optional<Reply> check_status(const Call& call) {
  const auto status = call.query.text("status");
  if (status.empty() || status == "active" || status == "inactive") return std::nullopt;
  return Reply::error(400, "Invalid status. Use \"active\" or \"inactive\".");
}

Reply list_keys(Api& api, const Call& call) {
  if (auto refusal = check_status(call)) return *refusal;
  json::array list;
  for (const auto& key : keys_of(api.tables.snapshot(), call.project->id())) {
    if (wanted_status(call, key)) list.push_back(render_key(api, key));
  }
  return paginate(api, call, std::move(list));
}

Reply list_organization_keys(Api& api, const Call& call) {
  if (auto refusal = check_status(call)) return *refusal;
  const auto snapshot = api.tables.snapshot();
  std::vector<std::uint64_t> projects;
  if (const auto name = call.query.find("team")) {
    const auto team = find_team(snapshot, call.organization->id(), *name);
    if (!team) return Reply::error(404, "Team not found");
    projects = team_project_ids(snapshot, team->id());
  } else {
    for (const auto& project : projects_of(snapshot, call.organization->id()))
      projects.push_back(project.id());
  }
  json::array list;
  for (const auto project : projects) {
    for (const auto& key : keys_of(snapshot, project)) {
      if (wanted_status(call, key)) list.push_back(render_key(api, key));
    }
  }
  return paginate(api, call, std::move(list));
}

// The key that the path names, if it is this project's.
std::optional<schema::ProjectKey> find_key(const buffer::Reader& reader, const Call& call) {
  const auto id = call.path_text("key_id");
  if (id.empty() || id.size() > 64) return std::nullopt;
  auto row = buffer::find_row<schema::ProjectKey>(reader, buffer::Table::project_keys, id);
  if (row && row->project() != call.project->id()) return std::nullopt;
  return row;
}

Reply get_key(Api& api, const Call& call) {
  const auto key = find_key(api.tables.snapshot(), call);
  return key ? Reply::json(render_key(api, *key)) : Reply::not_found();
}

struct KeyChange {
  std::optional<std::string> label;
  std::optional<bool> active;
  bool limit_given = false;  // with count and window 0: no limit
  std::uint32_t count = 0;
  std::uint32_t window_s = 0;
  json::object options;
};

void parse_rate_limit(Fields& fields, KeyChange& change) {
  change.limit_given = fields.has("rateLimit");
  const auto* limit = fields.object("rateLimit");
  if (limit == nullptr) return;
  constexpr std::int64_t longest_window_s = 86'400;
  constexpr std::int64_t most = 1'000'000'000;
  const auto number = [&](std::string_view name, std::int64_t largest) -> std::uint32_t {
    const auto* value = limit->if_contains(name);
    if (value == nullptr || value->is_null()) return 0;
    if (value->is_int64() && value->get_int64() >= 0 && value->get_int64() <= largest) {
      return static_cast<std::uint32_t>(value->get_int64());
    }
    fields.fail("rateLimit", "A whole number from 0 to " + std::to_string(largest) +
                                 " is required for " + std::string(name) + ".");
    return 0;
  };
  change.count = number("count", most);
  change.window_s = number("window", longest_window_s);
  if (change.count == 0 || change.window_s == 0) change.count = change.window_s = 0;
}

KeyChange parse_change(Fields& fields) {
  KeyChange change;
  change.label = fields.text("name", {.most = 64, .required = false, .blank = true});
  change.active = fields.flag("isActive");
  parse_rate_limit(fields, change);
  using enum SettingKind;
  fields.keep({{"browserSdkVersion", text}, {"dynamicSdkLoaderOptions", object}, {"useCase", text}},
              change.options);
  const auto version = fields.text("browserSdkVersion");
  if (version && *version != "latest" && *version != "7.x" &&
      version->find_first_not_of("0123456789.x") != std::string::npos) {
    fields.fail("browserSdkVersion", "\"" + *version + "\" is not a valid choice.");
  }
  return change;
}

std::optional<Reply> apply(schema::ProjectKey& row, const KeyChange& change) {
  if (change.label && !change.label->empty()) row.set_label(*change.label);
  if (change.active) row.set_disabled(!*change.active);
  if (change.limit_given) {
    row.set_rate_limit_count(change.count);
    row.set_rate_limit_window_s(change.window_s);
  }
  auto options = merge_options(row.options_json(), change.options);
  if (!options) return Reply::error(400, "The settings are too large.");
  row.set_options_json(*std::move(options));
  return std::nullopt;
}

Reply create(Api& api, const Call& call) {
  Fields fields(call);
  const auto change = parse_change(fields);
  if (auto refusal = fields.refusal()) return *refusal;
  schema::ProjectKey row;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    if (!find_project(batch, call.organization->id(), std::to_string(call.project->id())))
      return Reply::not_found();
    const auto number = keys_of(batch, call.project->id()).size() + 1;
    row = create_key(batch, call.project->id(), "Key " + std::to_string(number), api.clock.now());
    auto refused = apply(row, change);
    put_key(batch, row);
    return refused;
  });
  return refusal ? *refusal : Reply::json(render_key(api, row), 201);
}

Reply update(Api& api, const Call& call) {
  Fields fields(call);
  const auto change = parse_change(fields);
  if (auto refusal = fields.refusal()) return *refusal;
  std::optional<schema::ProjectKey> row;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    row = find_key(batch, call);
    if (!row) return Reply::not_found();
    auto refused = apply(*row, change);
    put_key(batch, *row);
    return refused;
  });
  return refusal ? *refusal : Reply::json(render_key(api, *row));
}

Reply remove(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto row = find_key(batch, call);
    if (!row) return Reply::not_found();
    delete_key(batch, *row);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

}  // namespace

std::vector<Route> key_routes() {
  constexpr std::string_view all =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/keys/";
  constexpr std::string_view one =
      "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/keys/{key_id}/";
  return {
      {"GET", all, {"project:read"}, list_keys},
      {"POST", all, {"project:write"}, create},
      {"GET", one, {"project:read"}, get_key},
      {"PUT", one, {"project:write"}, update},
      {"DELETE", one, {"project:admin"}, remove},
      {"GET",
       "/api/0/organizations/{organization_id_or_slug}/project-keys/",
       {"org:read"},
       list_organization_keys},
  };
}

}  // namespace picket::rest

// A release's commits and deploys, and the release before it that has commits.
#include "api/rest/changes.h"
#include "api/rest/release_rows.h"

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;
using buffer::Key;
using buffer::Table;

namespace {

Reply list_commits(Api& api, const Call& call) {
  const auto release = find_release(api.tables.snapshot(), call);
  if (!release) return Reply::not_found();
  json::array list;
  for (const auto& commit : parse_list(release->commits_json())) {
    if (const auto* object = commit.if_object()) list.push_back(render_commit(*release, *object));
  }
  return paginate(api, call, std::move(list));
}

json::array deploys_of(const schema::Release& release) {
  const auto options = parse_options(release.options_json());
  const auto* deploys = options.if_contains("deploys");
  return deploys != nullptr && deploys->is_array() ? deploys->get_array() : json::array();
}

// Newest first.
Reply list_deploys(Api& api, const Call& call) {
  const auto release = find_release(api.tables.snapshot(), call);
  if (!release) return Reply::not_found();
  const auto deploys = deploys_of(*release);
  json::array list;
  for (auto deploy = deploys.rbegin(); deploy != deploys.rend(); ++deploy) {
    if (const auto* object = deploy->if_object()) list.push_back(render_deploy(*object));
  }
  return paginate(api, call, std::move(list));
}

Reply create_deploy(Api& api, const Call& call) {
  Fields fields(call);
  const auto environment = fields.text("environment", {.most = 64, .required = true});
  const auto name = fields.text("name", {.most = 64, .required = false, .blank = true});
  const auto url = fields.text("url", {.most = 1024, .required = false, .blank = true});
  const auto started = fields.time("dateStarted");
  const auto finished = fields.time("dateFinished");
  if (auto refusal = fields.refusal()) return *refusal;
  json::object deploy{{"environment", *environment},
                      {"dateStarted", started ? render_time(*started) : json::value(nullptr)},
                      {"dateFinished", render_time(finished.value_or(to_ms(api.clock.now())))},
                      {"name", text_or_null(name.value_or(""))},
                      {"url", text_or_null(url.value_or(""))}};
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    auto release = find_release(batch, call);
    if (!release) return Reply::not_found();
    deploy["id"] = std::to_string(batch.next_number("deploy"));
    auto deploys = deploys_of(*release);
    deploys.push_back(deploy);
    auto options =
        merge_options(release->options_json(), json::object{{"deploys", std::move(deploys)}});
    if (!options) return Reply::error(400, "This release has too many deploys.");
    release->set_options_json(*std::move(options));
    buffer::put_row(batch, Table::releases,
                    release_key(release->organization(), release->version()), *release);
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::json(render_deploy(deploy), 201);
}

// {} when there is none.
Reply get_previous_with_commits(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto release = find_release(snapshot, call);
  if (!release) return Reply::not_found();
  std::vector<std::uint64_t> projects;
  for (const auto& [project, counts] : projects_of_release(snapshot, *release))
    projects.push_back(project.id());
  std::optional<schema::Release> best;
  for_each(snapshot, Table::releases, Key().u64(release->organization()),
           [&](std::string_view, std::string_view value) {
             auto other = buffer::parse_row<schema::Release>(value);
             const bool earlier =
                 other.id() != release->id() && other.created_ms() <= release->created_ms();
             if (!earlier || parse_list(other.commits_json()).empty()) return true;
             if (best && other.created_ms() <= best->created_ms()) return true;
             for (const auto project : projects) {
               const auto key =
                   release_project_key(release->organization(), other.version(), project);
               if (!snapshot.get(Table::release_projects, key)) continue;
               best = std::move(other);
               break;
             }
             return true;
           });
  if (!best) return Reply::json(json::object());
  return Reply::json(render_release(snapshot, call, *best));
}

}  // namespace

std::vector<Route> release_part_routes() {
  constexpr std::string_view deploys =
      "/api/0/organizations/{organization_id_or_slug}/releases/{version}/deploys/";
  const std::vector<std::string_view> readers = {"project:read", "project:releases", "org:ci"};
  return {
      {"GET", "/api/0/organizations/{organization_id_or_slug}/releases/{version}/commits/", readers,
       list_commits},
      {"GET",
       "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/releases/{version}/commits/",
       readers, list_commits},
      {"GET", deploys, readers, list_deploys},
      {"POST", deploys, {"project:write", "project:releases", "org:ci"}, create_deploy},
      {"GET",
       "/api/0/organizations/{organization_id_or_slug}/releases/{version}/previous-with-commits/",
       readers, get_previous_with_commits},
  };
}

}  // namespace picket::rest

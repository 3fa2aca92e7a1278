// Releases: list, create, get, update, delete; by organization and, with the same answers, by
// project.
#include "api/digest/issue_release.h"
#include "api/rest/changes.h"
#include "api/rest/release_rows.h"
#include "api/rest/release_version.h"
#include "api/rest/session_cells.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;
using buffer::Batch;
using buffer::Key;
using buffer::Table;

namespace {

struct Listed {
  std::int64_t time_ms = 0;
  std::uint64_t id = 0;
  schema::Release release;
};

// Which projects a list is about; none: all of the organization's.
std::variant<std::vector<std::uint64_t>, Reply> listed_projects(Api& api, const Call& call) {
  std::vector<std::uint64_t> ids;
  if (call.project) {
    ids.push_back(call.project->id());
  } else if (call.query.find("project") || call.query.find("projectSlug")) {
    const auto selected = selected_projects(api, call);
    if (const auto* refusal = std::get_if<Reply>(&selected)) return *refusal;
    for (const auto& project : std::get<std::vector<schema::Project>>(selected))
      ids.push_back(project.id());
  }
  return ids;
}

bool in_any(const buffer::Reader& reader,
            const schema::Release& release,
            const std::vector<std::uint64_t>& projects) {
  return std::any_of(projects.begin(), projects.end(), [&](std::uint64_t project) {
    return reader.get(Table::release_projects,
                      release_project_key(release.organization(), release.version(), project));
  });
}

// A query is a part of the version; "release:" before it is what the search bar adds.
std::string_view version_query(const Call& call) {
  auto query = call.query.text("query");
  for (const std::string_view prefix : {"release:", "version:"}) {
    if (query.starts_with(prefix)) query.remove_prefix(prefix.size());
  }
  while (query.starts_with('*'))
    query.remove_prefix(1);
  while (query.ends_with('*'))
    query.remove_suffix(1);
  return query;
}

// health=1: how healthy each project's share of a release is; adoptionStages=1: how far it has come.
class HealthView {
 public:
  HealthView(Api& api, const Call& call, const buffer::Reader& reader)
      : health_(reader, api.clock.now(), period_ms(call)), wanted_(is_on(call, "health")), stages_(is_on(call, "adoptionStages")) {}

  void add(const schema::Release& release, json::object& rendered) {
    if (!wanted_ && !stages_) return;
    json::object stages;
    for (auto& each : rendered["projects"].as_array()) {
      auto& project = each.as_object();
      const auto id = project["id"].to_number<std::uint64_t>();
      if (wanted_) {
        project["hasHealthData"] = health_.has_data(id, release.version());
        project["healthData"] = health_.render(id, release.version());
      }
      auto stage = stages_ ? health_.render_stage(id, release.version()) : json::value(nullptr);
      if (!stage.is_null()) stages[project["slug"].as_string()] = std::move(stage);
    }
    if (stages_) rendered["adoptionStages"] = std::move(stages);
  }

 private:
  static bool is_on(const Call& call, std::string_view name) {
    const auto text = call.query.text(name);
    return text == "1" || text == "true" || text == "True";
  }
  // Of the sums; the words of the document, two weeks when there is none of them.
  static std::int64_t period_ms(const Call& call) {
    constexpr std::int64_t hour_ms = 3'600'000;
    auto text = call.query.text("summaryStatsPeriod");
    if (text.empty()) text = call.query.text("statsPeriod");
    for (const auto& [word, hours] : {std::pair{std::string_view("1h"), 1}, {"1d", 24}, {"24h", 24}, {"2d", 48}, {"48h", 48},
                                      {"7d", 168}, {"14d", 336}, {"30d", 720}, {"90d", 2160}}) {
      if (text == word) return hours * hour_ms;
    }
    return 336 * hour_ms;
  }

  ReleaseHealth health_;
  const bool wanted_;
  const bool stages_;
};

Reply list_releases(Api& api, const Call& call) {
  const auto parsed = parse_page(call.query);
  if (const auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& page = std::get<Page>(parsed);
  const auto wanted = listed_projects(api, call);
  if (const auto* refusal = std::get_if<Reply>(&wanted)) return *refusal;
  const auto& projects = std::get<std::vector<std::uint64_t>>(wanted);
  const auto query = version_query(call);
  const auto status = call.query.text("status");

  const auto snapshot = api.tables.snapshot();
  std::vector<Listed> found;
  for_each(snapshot, Table::releases, Key().u64(call.organization->id()),
           [&](std::string_view, std::string_view value) {
             auto release = buffer::parse_row<schema::Release>(value);
             const bool archived = release.status() == 1;
             const bool fits = (status.empty() || (status == "archived") == archived) &&
                               contains_text(release.version(), query) &&
                               (projects.empty() || in_any(snapshot, release, projects));
             if (fits) found.push_back({release_time(release), release.id(), std::move(release)});
             return true;
           });
  std::sort(found.begin(), found.end(), [](const Listed& a, const Listed& b) {
    return std::pair(a.time_ms, a.id) > std::pair(b.time_ms, b.id);
  });
  const auto from = std::min<std::size_t>(page.offset, found.size());
  const auto to = std::min(from + page.per_page, found.size());
  json::array list;
  HealthView health(api, call, snapshot);
  for (auto i = from; i < to; ++i) {
    auto rendered = render_release(snapshot, call, found[i].release);
    health.add(found[i].release, rendered);
    list.push_back(std::move(rendered));
  }
  auto reply = Reply::json(std::move(list));
  add_links(reply, api, call, page, to - from, to < found.size());
  return reply;
}

Reply get_release(Api& api, const Call& call) {
  const auto snapshot = api.tables.snapshot();
  const auto release = find_release(snapshot, call);
  if (!release) return Reply::not_found();
  auto rendered = render_release(snapshot, call, *release);
  HealthView(api, call, snapshot).add(*release, rendered);
  return Reply::json(std::move(rendered));
}

struct NewRelease {
  std::string version;
  std::vector<std::uint64_t> projects;
  ReleaseChange change;
};

std::variant<NewRelease, Reply> parse_new_release(Api& api, const Call& call) {
  Fields fields(call);
  NewRelease wanted;
  wanted.version = fields.text("version", {.most = 200, .required = true}).value_or("");
  if (!wanted.version.empty() && !is_release_version(wanted.version)) {
    fields.fail("version", "Release with name " + wanted.version + " is not allowed");
  }
  wanted.change = parse_release_change(fields);
  if (call.project) {
    wanted.projects.push_back(call.project->id());
  } else if (const auto* names = fields.list("projects", true)) {
    const auto snapshot = api.tables.snapshot();
    for (const auto& item : *names) {
      const auto name = fields.text_item("projects", item, {});
      const auto project =
          name ? find_project(snapshot, call.organization->id(), *name) : std::nullopt;
      if (name && !project) fields.fail("projects", "Invalid project ids or slugs");
      if (!project) break;
      wanted.projects.push_back(project->id());
    }
  }
  if (auto refusal = fields.refusal()) return *refusal;
  return wanted;
}

// True when the release already had the project.
bool link_project(Batch& batch, const schema::Release& release, std::uint64_t project) {
  const auto key = release_project_key(release.organization(), release.version(), project);
  if (batch.get(Table::release_projects, key)) return true;
  buffer::put_row(batch, Table::release_projects, key, schema::ReleaseProject());
  return false;
}

Reply create(Api& api, const Call& call) {
  auto parsed = parse_new_release(api, call);
  if (auto* refusal = std::get_if<Reply>(&parsed)) return *refusal;
  const auto& wanted = std::get<NewRelease>(parsed);
  schema::Release release;
  bool existed = false;
  bool all_linked = true;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto key = release_key(call.organization->id(), wanted.version);
    auto stored = buffer::find_row<schema::Release>(batch, Table::releases, key);
    existed = stored.has_value();
    if (existed) {
      release = *stored;
      // Creating again changes what it adds, not what is there.
      ReleaseChange again;
      again.status = wanted.change.status;
      again.commits = wanted.change.commits;
      again.refs = wanted.change.refs;
      apply(again, release);
    } else {
      release.set_id(batch.next_number("release"));
      release.set_organization(call.organization->id());
      release.set_version(wanted.version);
      release.set_created_ms(to_ms(api.clock.now()));
      apply(wanted.change, release);
    }
    buffer::put_row(batch, Table::releases, key, release);
    for (const auto project : wanted.projects) {
      const bool linked = link_project(batch, release, project);
      all_linked = all_linked && linked;
      if (!linked || wanted.change.commits) digest::note_release(batch, project, release.version(), to_ms(api.clock.now()));
    }
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(render_release(api.tables.snapshot(), call, release),
                     existed && all_linked ? 208 : 201);
}

Reply update(Api& api, const Call& call) {
  Fields fields(call);
  const auto change = parse_release_change(fields);
  if (auto refusal = fields.refusal()) return *refusal;
  std::optional<schema::Release> release;
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    release = find_release(batch, call);
    if (!release) return Reply::not_found();
    apply(change, *release);
    buffer::put_row(batch, Table::releases,
                    release_key(release->organization(), release->version()), *release);
    for (const auto& [project, counts] : projects_of_release(batch, *release))
      digest::note_release(batch, project.id(), release->version(), to_ms(api.clock.now()));
    return std::nullopt;
  });
  if (refusal) return *refusal;
  return Reply::json(render_release(api.tables.snapshot(), call, *release));
}

// Is it the first release of an issue that is still there?
bool is_referenced(const buffer::Reader& reader, const schema::Release& release) {
  std::vector<std::uint64_t> projects;
  for (const auto& [project, counts] : projects_of_release(reader, release)) {
    if (counts.new_issues() > 0) projects.push_back(project.id());
  }
  if (projects.empty()) return false;
  bool referenced = false;
  for_each(reader, Table::issues, {}, [&](std::string_view, std::string_view value) {
    const auto issue = buffer::parse_row<schema::Issue>(value);
    referenced = issue.first_release() == release.version() &&
                 std::find(projects.begin(), projects.end(), issue.project()) != projects.end();
    return !referenced;
  });
  return referenced;
}

Reply remove(Api& api, const Call& call) {
  const auto refusal = change_tables(api, [&](Batch& batch) -> std::optional<Reply> {
    const auto release = find_release(batch, call);
    if (!release) return Reply::not_found();
    if (is_referenced(batch, *release)) {
      return Reply::error(400,
                          "This release is referenced by active issues and cannot be removed.");
    }
    const auto organization = release->organization();
    remove_under(batch, Table::release_projects, release_key(organization, release->version()));
    batch.remove(Table::releases, release_key(organization, release->version()));
    return std::nullopt;
  });
  return refusal ? *refusal : Reply::none();
}

std::vector<Route> routes_under(std::string_view all, std::string_view one) {
  return {
      {"GET", all, {"project:read", "project:releases", "org:ci"}, list_releases},
      {"POST", all, {"project:write", "project:releases", "org:ci"}, create},
      {"GET", one, {"project:read", "project:releases", "org:ci"}, get_release},
      {"PUT", one, {"project:write", "project:releases", "org:ci"}, update},
      {"DELETE", one, {"project:admin", "project:releases"}, remove},
  };
}

}  // namespace

std::vector<Route> release_routes() {
  auto routes = routes_under("/api/0/organizations/{organization_id_or_slug}/releases/",
                             "/api/0/organizations/{organization_id_or_slug}/releases/{version}/");
  for (auto& route : routes_under(
           "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/releases/",
           "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}/releases/{version}/")) {
    routes.push_back(std::move(route));
  }
  return routes;
}

}  // namespace picket::rest

#include "api/rest/release_rows.h"

#include "api/rest/release_version.h"

#include <algorithm>

namespace picket::rest {

namespace json = boost::json;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

Key release_key(std::uint64_t organization, std::string_view version) {
  return Key().u64(organization).text(version);
}

Key release_project_key(std::uint64_t organization,
                        std::string_view version,
                        std::uint64_t project) {
  return Key().u64(organization).text(version).u64(project);
}

std::optional<schema::Release> find_release(const buffer::Reader& reader, const Call& call) {
  const auto version = call.path_text("version");
  const auto organization = call.organization->id();
  auto release =
      find_row<schema::Release>(reader, Table::releases, release_key(organization, version));
  if (!release || release->version() != version) return std::nullopt;
  const bool elsewhere =
      call.project && !reader.get(Table::release_projects,
                                  release_project_key(organization, version, call.project->id()));
  if (elsewhere) return std::nullopt;
  return release;
}

ReleaseProjects projects_of_release(const buffer::Reader& reader, const schema::Release& release) {
  ReleaseProjects found;
  const auto prefix = release_key(release.organization(), release.version());
  for_each(
      reader, Table::release_projects, prefix, [&](std::string_view rest, std::string_view value) {
        const auto id = KeyReader(rest).u64();
        auto project = find_row<schema::Project>(reader, Table::projects, Key().u64(id));
        if (project)
          found.emplace_back(*std::move(project), buffer::parse_row<schema::ReleaseProject>(value));
        return true;
      });
  return found;
}

std::int64_t release_time(const schema::Release& release) {
  return release.released_ms() != 0 ? release.released_ms() : release.created_ms();
}

std::map<std::uint64_t, std::string> latest_releases(const buffer::Reader& reader,
                                                     std::uint64_t organization) {
  struct Dated {
    std::int64_t time_ms = 0;
    std::uint64_t id = 0;
    std::string version;
    bool newer_than(const Dated& other) const {
      return std::pair(time_ms, id) > std::pair(other.time_ms, other.id);
    }
  };
  std::map<std::string, Dated, std::less<>> releases;  // by the version as it stands in keys
  for_each(reader, Table::releases, Key().u64(organization),
           [&](std::string_view rest, std::string_view value) {
             const auto release = buffer::parse_row<schema::Release>(value);
             releases.emplace(rest, Dated{release_time(release), release.id(), release.version()});
             return true;
           });
  std::map<std::uint64_t, Dated> latest;
  for_each(reader, Table::release_projects, Key().u64(organization),
           [&](std::string_view rest, std::string_view) {
             constexpr std::size_t project_bytes = 8;
             if (rest.size() < project_bytes) return true;
             const auto version = rest.substr(0, rest.size() - project_bytes);
             const auto release = releases.find(version);
             if (release == releases.end()) return true;
             auto& best = latest[KeyReader(rest.substr(version.size())).u64()];
             if (release->second.newer_than(best)) best = release->second;
             return true;
           });
  std::map<std::uint64_t, std::string> versions;
  for (auto& [project, best] : latest)
    versions.emplace(project, std::move(best.version));
  return versions;
}

json::array parse_list(std::string_view text) {
  if (text.empty()) return {};
  json::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_array()) return {};
  return std::move(value.as_array());
}

namespace {

json::value number_or_null(const ReleaseVersion& version, std::size_t index) {
  if (version.components <= index) return nullptr;
  return version.numbers[index];
}

json::value render_version_info(std::string_view text) {
  const auto version = parse_release_version(text);
  json::object numbers{{"raw", json::string(version.raw)}};
  if (version.numbered) {
    numbers["major"] = version.numbers[0];
    numbers["minor"] = version.numbers[1];
    numbers["patch"] = version.numbers[2];
    numbers["revision"] = number_or_null(version, 3);
    numbers["pre"] = text_or_null(version.pre);
    numbers["buildCode"] = text_or_null(version.build);
    numbers["components"] = version.components;
  }
  return json::object{{"package", text_or_null(version.package)},
                      {"version", std::move(numbers)},
                      {"description", describe(version)},
                      {"buildHash", text_or_null(version.build_hash)}};
}

// Who wrote the commits, each once, by e-mail.
json::array render_authors(const json::array& commits) {
  json::array authors;
  std::vector<std::string> seen;
  for (const auto& item : commits) {
    const auto* commit = item.if_object();
    const auto* email = commit == nullptr ? nullptr : commit->if_contains("author_email");
    if (email == nullptr || !email->is_string()) continue;
    const std::string text(email->as_string());
    if (std::find(seen.begin(), seen.end(), text) != seen.end()) continue;
    seen.push_back(text);
    authors.push_back(
        json::object{{"name", option(*commit, "author_name", nullptr)}, {"email", text}});
  }
  return authors;
}

json::array render_projects(const ReleaseProjects& projects) {
  json::array list;
  for (const auto& [project, counts] : projects) {
    json::array platforms;
    if (!project.platform().empty()) platforms.emplace_back(project.platform());
    list.push_back(json::object{{"id", project.id()},
                                {"slug", project.slug()},
                                {"name", project.name()},
                                {"newGroups", counts.new_issues()},
                                {"platform", text_or_null(project.platform())},
                                {"platforms", std::move(platforms)},
                                {"hasHealthData", false}});
  }
  return list;
}

}  // namespace

json::object render_commit(const schema::Release& release, const json::object& commit) {
  const auto text = [&](std::string_view name) { return option(commit, name, nullptr); };
  json::object rendered{
      {"id", text("id")},
      {"message", text("message")},
      {"dateCreated", option(commit, "timestamp", render_time(release.created_ms()))},
      {"pullRequest", nullptr},
      {"suspectCommitType", ""},
  };
  if (rendered["dateCreated"].is_null())
    rendered["dateCreated"] = render_time(release.created_ms());
  const auto email = text("author_email");
  rendered["author"] = email.is_null()
                           ? json::object()
                           : json::object{{"name", text("author_name")}, {"email", email}};
  const auto repository = text("repository");
  if (!repository.is_null()) {
    rendered["repository"] =
        json::object{{"id", ""},
                     {"name", repository},
                     {"url", nullptr},
                     {"provider", json::object{{"id", "unknown"}, {"name", "Unknown Provider"}}},
                     {"status", "active"},
                     {"dateCreated", render_time(release.created_ms())},
                     {"integrationId", nullptr},
                     {"externalSlug", nullptr},
                     {"externalId", nullptr}};
  }
  rendered["releases"] =
      json::array{json::object{{"version", release.version()},
                               {"shortVersion", release.version()},
                               {"ref", text_or_null(release.ref())},
                               {"url", text_or_null(release.url())},
                               {"dateReleased", render_time(release.released_ms())},
                               {"dateCreated", render_time(release.created_ms())}}};
  return rendered;
}

json::object render_deploy(const json::object& deploy) {
  json::object rendered;
  for (const std::string_view name :
       {"id", "environment", "dateStarted", "dateFinished", "name", "url"}) {
    rendered[name] = option(deploy, name, nullptr);
  }
  return rendered;
}

json::object render_release(const buffer::Reader& reader,
                            const Call& call,
                            const schema::Release& release) {
  const auto projects = projects_of_release(reader, release);
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::uint64_t new_issues = 0;
  for (const auto& [project, counts] : projects) {
    if (call.project && project.id() != call.project->id()) continue;
    new_issues += counts.new_issues();
    if (counts.first_event_ms() != 0 && (first_ms == 0 || counts.first_event_ms() < first_ms)) {
      first_ms = counts.first_event_ms();
    }
    last_ms = std::max(last_ms, counts.last_event_ms());
  }
  const auto commits = parse_list(release.commits_json());
  const auto options = parse_options(release.options_json());
  const auto deploys = option(options, "deploys", json::array());
  const std::size_t deploy_count = deploys.is_array() ? deploys.get_array().size() : 0;
  json::object rendered{
      {"id", release.id()},
      {"version", release.version()},
      {"status", release.status() == 1 ? "archived" : "open"},
      {"shortVersion", release.version()},
      {"versionInfo", render_version_info(release.version())},
      {"ref", text_or_null(release.ref())},
      {"url", text_or_null(release.url())},
      {"dateReleased", render_time(release.released_ms())},
      {"dateCreated", render_time(release.created_ms())},
      {"dateStarted", render_time(release.started_ms())},
      {"data", json::object()},
      {"newGroups", new_issues},
      {"owner", nullptr},
      {"commitCount", commits.size()},
      {"lastCommit", nullptr},
      {"deployCount", deploy_count},
      {"lastDeploy", nullptr},
      {"authors", render_authors(commits)},
      {"projects", render_projects(projects)},
      {"firstEvent", render_time(first_ms)},
      {"lastEvent", render_time(last_ms)},
      {"currentProjectMeta", json::object()},
      {"userAgent", nullptr},
  };
  // Clients send the newest commit first.
  if (!commits.empty() && commits.front().is_object()) {
    rendered["lastCommit"] = render_commit(release, commits.front().get_object());
  }
  if (deploy_count > 0 && deploys.get_array().back().is_object()) {
    auto last = render_deploy(deploys.get_array().back().get_object());
    if (last["name"].is_null())
      last["name"] = "";  // here, unlike in the list of deploys, it is text
    rendered["lastDeploy"] = std::move(last);
  }
  if (!call.query.text("adoptionStages").empty()) rendered["adoptionStages"] = json::object();
  return rendered;
}

}  // namespace picket::rest

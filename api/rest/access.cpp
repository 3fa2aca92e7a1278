#include "api/rest/access.h"

#include "api/rest/auth.h"

#include <algorithm>
#include <charconv>

namespace picket::rest {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

Key slug_key(SlugKind kind, std::uint64_t scope, std::string_view slug) {
  return Key().u8(static_cast<std::uint8_t>(kind)).u64(scope).text(slug);
}

std::optional<std::uint64_t> parse_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || id == 0)
    return std::nullopt;
  return id;
}

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<std::uint64_t> find_id(const buffer::Reader& reader,
                                     SlugKind kind,
                                     std::uint64_t scope,
                                     std::string_view id_or_slug) {
  if (is_number(id_or_slug)) return parse_id(id_or_slug);
  const auto stored = reader.get(Table::slugs, slug_key(kind, scope, id_or_slug));
  if (!stored) return std::nullopt;
  return KeyReader(*stored).u64();
}

template <class Row>
std::vector<Row> rows_of(const buffer::Reader& reader, Table table, std::uint64_t organization) {
  std::vector<Row> rows;
  for_each(reader, table, {}, [&](std::string_view, std::string_view value) {
    auto row = buffer::parse_row<Row>(value);
    if (row.organization() == organization) rows.push_back(std::move(row));
    return true;
  });
  return rows;
}

std::vector<std::uint64_t> numbers_under(const buffer::Reader& reader,
                                         Table table,
                                         std::uint64_t id) {
  std::vector<std::uint64_t> numbers;
  for_each(reader, table, Key().u64(id), [&](std::string_view rest, std::string_view) {
    numbers.push_back(KeyReader(rest).u64());
    return true;
  });
  return numbers;
}

}  // namespace

std::optional<schema::Organization> find_organization(const buffer::Reader& reader,
                                                      std::string_view id_or_slug) {
  const auto id = find_id(reader, SlugKind::organization, 0, id_or_slug);
  if (!id) return std::nullopt;
  return find_row<schema::Organization>(reader, Table::organizations, Key().u64(*id));
}

std::optional<schema::Project> find_project(const buffer::Reader& reader,
                                            std::uint64_t organization,
                                            std::string_view id_or_slug) {
  const auto id = find_id(reader, SlugKind::project, organization, id_or_slug);
  if (!id) return std::nullopt;
  auto row = find_row<schema::Project>(reader, Table::projects, Key().u64(*id));
  if (row && row->organization() != organization) return std::nullopt;
  return row;
}

std::optional<schema::Team> find_team(const buffer::Reader& reader,
                                      std::uint64_t organization,
                                      std::string_view id_or_slug) {
  const auto id = find_id(reader, SlugKind::team, organization, id_or_slug);
  if (!id) return std::nullopt;
  auto row = find_row<schema::Team>(reader, Table::teams, Key().u64(*id));
  if (row && row->organization() != organization) return std::nullopt;
  return row;
}

std::vector<schema::Organization> organizations(const buffer::Reader& reader) {
  std::vector<schema::Organization> rows;
  for_each(reader, Table::organizations, {}, [&](std::string_view, std::string_view value) {
    rows.push_back(buffer::parse_row<schema::Organization>(value));
    return true;
  });
  return rows;
}

std::vector<schema::Project> projects_of(const buffer::Reader& reader, std::uint64_t organization) {
  return rows_of<schema::Project>(reader, Table::projects, organization);
}

std::vector<schema::Team> teams_of(const buffer::Reader& reader, std::uint64_t organization) {
  return rows_of<schema::Team>(reader, Table::teams, organization);
}

std::vector<schema::Member> members_of(const buffer::Reader& reader, std::uint64_t organization) {
  std::vector<schema::Member> rows;
  for_each(reader, Table::members, Key().u64(organization),
           [&](std::string_view, std::string_view value) {
             rows.push_back(buffer::parse_row<schema::Member>(value));
             return true;
           });
  return rows;
}

std::optional<schema::Member> find_membership(const buffer::Reader& reader,
                                              std::uint64_t organization,
                                              std::uint64_t user) {
  std::optional<schema::Member> found;
  for_each(reader, Table::members, Key().u64(organization),
           [&](std::string_view, std::string_view value) {
             auto row = buffer::parse_row<schema::Member>(value);
             if (row.user() == user) found = std::move(row);
             return !found;
           });
  return found;
}

std::vector<std::uint64_t> team_project_ids(const buffer::Reader& reader, std::uint64_t team) {
  return numbers_under(reader, Table::team_projects, team);
}

std::vector<std::uint64_t> team_member_ids(const buffer::Reader& reader, std::uint64_t team) {
  return numbers_under(reader, Table::team_members, team);
}

bool admit_to_organization(const buffer::Reader& reader,
                           std::uint64_t organization,
                           Caller& caller) {
  const auto bound_to = caller.token.organization();
  if (bound_to != 0 && bound_to != organization) return false;
  caller.role.clear();
  caller.member = 0;
  if (!caller.user) return bound_to != 0;
  const auto membership = find_membership(reader, organization, caller.user->id());
  if (!membership) return false;
  caller.role = is_role(membership->role()) ? membership->role() : "member";
  caller.member = membership->id();
  return true;
}

namespace {

// A project the query names by id or slug, or nothing.
const schema::Project* among(const std::vector<schema::Project>& projects,
                             std::string_view id_or_slug) {
  const auto id = is_number(id_or_slug) ? parse_id(id_or_slug) : std::nullopt;
  const auto found =
      std::find_if(projects.begin(), projects.end(), [&](const schema::Project& project) {
        return id ? project.id() == *id : project.slug() == id_or_slug;
      });
  return found == projects.end() ? nullptr : &*found;
}

}  // namespace

std::variant<std::vector<schema::Project>, Reply> selected_projects(Api& api, const Call& call) {
  auto projects = projects_of(api.tables.snapshot(), call.organization->id());
  auto named = call.query.all("project");
  for (const auto slug : call.query.all("projectSlug"))
    named.push_back(slug);
  std::vector<schema::Project> selected;
  for (const auto name : named) {
    if (name == "-1") return projects;
    if (name.empty()) continue;
    const auto* project = among(projects, name);
    if (project == nullptr) return Reply::forbidden();
    const bool twice =
        std::any_of(selected.begin(), selected.end(),
                    [&](const schema::Project& one) { return one.id() == project->id(); });
    if (!twice) selected.push_back(*project);
  }
  if (selected.empty()) return projects;
  return selected;
}

boost::json::object render_project_summary(const schema::Project& project) {
  boost::json::object json;
  json["id"] = std::to_string(project.id());
  json["name"] = project.name();
  json["slug"] = project.slug();
  if (project.platform().empty()) {
    json["platform"] = nullptr;
  } else {
    json["platform"] = project.platform();
  }
  return json;
}

}  // namespace picket::rest

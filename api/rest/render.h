// JSON shapes that several topics share, as the API document has them. What Picket has no feature
// for gets its true neutral value: an empty list, false, null.
#pragma once

#include "api/rest/access.h"
#include "api/rest/router.h"

#include <boost/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

boost::json::value text_or_null(std::string_view text);
boost::json::object render_avatar();
boost::json::object render_user(const schema::User& user);

// The object stored as text in an options_json field; {} when there is none.
boost::json::object parse_options(std::string_view options_json);
// `changes` over what is stored, as text to store; nothing when that would grow past all reason.
std::optional<std::string> merge_options(std::string_view options_json,
                                         const boost::json::object& changes);
// options[name] when it is there, else `fallback`.
boost::json::value option(const boost::json::object& options,
                          std::string_view name,
                          boost::json::value fallback);

boost::json::array render_access(const Caller& caller);  // the scopes the caller really has
boost::json::array render_organization_roles(const Caller& caller);
boost::json::array render_team_roles();
std::string_view role_name(std::string_view role);  // "Owner"

// An organization's teams, who and what is in them, as of one snapshot: read once per request.
struct OrganizationView {
  OrganizationView(const buffer::Reader& reader, const Api& api, const Call& call);

  std::vector<const schema::Team*> teams_of_project(std::uint64_t project) const;
  bool is_member(std::uint64_t team) const;  // the caller
  const schema::Project* find_project(std::uint64_t id) const;

  const Api& api;
  const Caller& caller;
  const schema::Organization& organization;
  std::vector<schema::Team> teams;
  std::vector<schema::Project> projects;
  std::map<std::uint64_t, std::vector<std::uint64_t>> team_projects;
  std::map<std::uint64_t, std::vector<std::uint64_t>> team_members;
};

// Those whose slug or name contains `query` (or "slug:…", "id:…" is), by slug.
std::vector<schema::Project> search_projects(const OrganizationView& view, std::string_view query);
bool contains_text(std::string_view text, std::string_view part);  // ASCII case-insensitive

boost::json::object render_organization(const Api& api, const schema::Organization& organization);
boost::json::object render_organization_details(const buffer::Reader& reader,
                                                const OrganizationView& view);

// Within teams; in an organization's list; by itself.
boost::json::object render_project(const OrganizationView& view, const schema::Project& project);
boost::json::array render_project_list(const buffer::Reader& reader,
                                       const OrganizationView& view,
                                       const std::vector<schema::Project>& projects);
boost::json::object render_project_details(const buffer::Reader& reader,
                                           const OrganizationView& view,
                                           const schema::Project& project);

boost::json::object render_team(const OrganizationView& view, const schema::Team& team);
boost::json::object render_team_with_projects(const OrganizationView& view,
                                              const schema::Team& team);

boost::json::object render_member(const buffer::Reader& reader, const schema::Member& member);
boost::json::object render_key(const Api& api, const schema::ProjectKey& key);

// scheme://key@host/project for the public URL.
std::string render_public_dsn(std::string_view public_url,
                              std::string_view key,
                              std::uint64_t project);

// The newest release of each project: by when it was released, or else created.
std::map<std::uint64_t, std::string> latest_releases(const buffer::Reader& reader,
                                                     std::uint64_t organization);
std::vector<std::string> environment_names(const buffer::Reader& reader, std::uint64_t project);

}  // namespace picket::rest

// Releases as the release endpoints share them: finding, dating, rendering.
#pragma once

#include "api/rest/access.h"
#include "api/rest/fields.h"
#include "api/rest/render.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace picket::rest {

buffer::Key release_key(std::uint64_t organization, std::string_view version);
buffer::Key release_project_key(std::uint64_t organization,
                                std::string_view version,
                                std::uint64_t project);

// The release that the path names; within the project when the path names one.
std::optional<schema::Release> find_release(const buffer::Reader& reader, const Call& call);

// The projects of a release that still exist, with what is counted for each.
using ReleaseProjects = std::vector<std::pair<schema::Project, schema::ReleaseProject>>;
ReleaseProjects projects_of_release(const buffer::Reader& reader, const schema::Release& release);

// When a release counts as made, for ordering: released, else created.
std::int64_t release_time(const schema::Release& release);

boost::json::array parse_list(
    std::string_view text);  // of commits_json, refs_json; [] when there is none

boost::json::object render_release(const buffer::Reader& reader,
                                   const Call& call,
                                   const schema::Release& release);
boost::json::object render_commit(const schema::Release& release,
                                  const boost::json::object& commit);
boost::json::object render_deploy(const boost::json::object& deploy);

// What a creation or an update says.
struct ReleaseChange {
  std::optional<std::string> ref;
  std::optional<std::string> url;
  std::optional<std::int64_t> released_ms;
  std::optional<std::int64_t> started_ms;
  std::optional<std::uint32_t> status;
  std::optional<boost::json::array> commits;
  std::optional<boost::json::array> refs;
};
ReleaseChange parse_release_change(Fields& fields);
void apply(const ReleaseChange& change, schema::Release& release);

}  // namespace picket::rest

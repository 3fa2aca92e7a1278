// Finding organizations, projects, teams and members by what a path or a query names them.
//
// Slugs live in Table::slugs. An entry whose project has another slug by now is what a rename left
// behind: it redirects until somebody else takes it.
#pragma once

#include "api/rest/router.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

enum class SlugKind : std::uint8_t { organization = 1, project = 2, team = 3 };

buffer::Key slug_key(SlugKind kind, std::uint64_t scope, std::string_view slug);

// Digits only, 1 … 2^64-1.
std::optional<std::uint64_t> parse_id(std::string_view text);

std::optional<schema::Organization> find_organization(const buffer::Reader& reader,
                                                      std::string_view id_or_slug);
// Within the organization only. May return a project with another slug: the one it was renamed to.
std::optional<schema::Project> find_project(const buffer::Reader& reader,
                                            std::uint64_t organization,
                                            std::string_view id_or_slug);
std::optional<schema::Team> find_team(const buffer::Reader& reader,
                                      std::uint64_t organization,
                                      std::string_view id_or_slug);

std::vector<schema::Organization> organizations(const buffer::Reader& reader);
std::vector<schema::Project> projects_of(const buffer::Reader& reader, std::uint64_t organization);
std::vector<schema::Team> teams_of(const buffer::Reader& reader, std::uint64_t organization);
std::vector<schema::Member> members_of(const buffer::Reader& reader, std::uint64_t organization);
std::optional<schema::Member> find_membership(const buffer::Reader& reader,
                                              std::uint64_t organization,
                                              std::uint64_t user);

std::vector<std::uint64_t> team_project_ids(const buffer::Reader& reader, std::uint64_t team);
std::vector<std::uint64_t> team_member_ids(const buffer::Reader& reader, std::uint64_t team);

// May the caller see this organization? Fills in the caller's role there.
bool admit_to_organization(const buffer::Reader& reader,
                           std::uint64_t organization,
                           Caller& caller);

// Runs `visit` with the key after `prefix` and the value of each entry; stops when it returns
// false.
template <class Visit>
void for_each(const buffer::Reader& reader,
              buffer::Table table,
              std::string_view prefix,
              Visit visit) {
  auto cursor = reader.cursor(table);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix);
       more = cursor.next()) {
    if (!visit(cursor.key().substr(prefix.size()), cursor.value())) return;
  }
}

}  // namespace picket::rest

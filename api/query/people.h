// Whom a search names: "me", "my_teams", "none", "#team", an e-mail address, a user name, an id.
#pragma once

#include "api/query/issue_filter.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace picket::query {

struct Owners {
  std::set<std::uint64_t> users;
  std::set<std::uint64_t> teams;
  bool nobody = false;

  bool own(std::uint64_t user, std::uint64_t team) const {
    if (user == 0 && team == 0) return nobody;
    return (user != 0 && users.contains(user)) || (team != 0 && teams.contains(team));
  }
};
// Names that nobody has find nobody; they are no error.
Owners find_owners(const buffer::Reader& reader, const SearchScope& scope, const std::vector<SearchValue>& values);

// A member of the organization by e-mail address, user name, name or id.
std::optional<schema::User> find_member_user(const buffer::Reader& reader, std::uint64_t organization, std::string_view name);
// A team of the organization by slug (with or without '#') or id.
std::optional<schema::Team> find_team(const buffer::Reader& reader, std::uint64_t organization, std::string_view name);

}  // namespace picket::query

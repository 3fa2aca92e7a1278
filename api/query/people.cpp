#include "api/query/people.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <charconv>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

constexpr std::uint8_t team_slugs = 3;  // Table::slugs

std::optional<std::uint64_t> parse_number_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return id;
}

// Calls `visit` with every member that has a user, until it returns false.
template <class Visit>
void for_each_user(const buffer::Reader& reader, std::uint64_t organization, Visit visit) {
  const auto prefix = Key().u64(organization);
  auto cursor = reader.cursor(Table::members);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
    const auto member = buffer::parse_row<schema::Member>(cursor.value());
    if (member.user() == 0) continue;
    const auto user = buffer::find_row<schema::User>(reader, Table::users, Key().u64(member.user()));
    if (user && !visit(member, *user)) return;
  }
}

void add_teams_of(const buffer::Reader& reader, const SearchScope& scope, Owners& owners) {
  std::uint64_t own_member = 0;
  for_each_user(reader, scope.organization, [&](const schema::Member& member, const schema::User& user) {
    if (user.id() == scope.user) own_member = member.id();
    return own_member == 0;
  });
  if (own_member == 0) return;
  auto cursor = reader.cursor(Table::team_members);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    buffer::KeyReader key(cursor.key());
    const auto team = key.u64();
    if (key.u64() != own_member) continue;
    const auto row = buffer::find_row<schema::Team>(reader, Table::teams, Key().u64(team));
    if (row && row->organization() == scope.organization) owners.teams.insert(team);
  }
}

}  // namespace

std::optional<schema::User> find_member_user(const buffer::Reader& reader, std::uint64_t organization, std::string_view name) {
  const auto id = parse_number_id(name);
  std::optional<schema::User> found;
  for_each_user(reader, organization, [&](const schema::Member&, const schema::User& user) {
    const bool same = id ? user.id() == *id
                         : !name.empty() && (user.email() == name || user.username() == name || user.name() == name);
    if (same) found = user;
    return !found;
  });
  return found;
}

std::optional<schema::Team> find_team(const buffer::Reader& reader, std::uint64_t organization, std::string_view name) {
  if (name.starts_with('#')) name.remove_prefix(1);
  auto id = parse_number_id(name);
  if (!id) {
    const auto stored = reader.get(Table::slugs, Key().u8(team_slugs).u64(organization).text(name));
    if (!stored) return std::nullopt;
    id = buffer::KeyReader(*stored).u64();
  }
  auto team = buffer::find_row<schema::Team>(reader, Table::teams, Key().u64(*id));
  if (team && team->organization() != organization) return std::nullopt;
  return team;
}

Owners find_owners(const buffer::Reader& reader, const SearchScope& scope, const std::vector<SearchValue>& values) {
  Owners owners;
  for (const auto& value : values) {
    std::string_view name = value.text;
    if (name == "none" || name.empty()) {
      owners.nobody = true;
    } else if (name == "me") {
      if (scope.user != 0) owners.users.insert(scope.user);
    } else if (name == "my_teams") {
      if (scope.user != 0) add_teams_of(reader, scope, owners);
    } else if (name.starts_with('#') || name.starts_with("team:")) {
      if (const auto team = find_team(reader, scope.organization, name.substr(name.front() == '#' ? 1 : 5))) {
        owners.teams.insert(team->id());
      }
    } else {
      if (name.starts_with("user:")) name.remove_prefix(5);
      if (const auto user = find_member_user(reader, scope.organization, name)) owners.users.insert(user->id());
    }
  }
  return owners;
}

}  // namespace picket::query

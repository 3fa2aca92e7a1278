#include "api/rest/changes.h"

#include "api/digest/deletion.h"
#include "api/digest/monitor_state.h"
#include "api/rest/auth.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

namespace picket::rest {

using buffer::Batch;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;

std::optional<Reply> change_tables(Api& api,
                                   const std::function<std::optional<Reply>(Batch&)>& change) {
  std::optional<Reply> refusal;
  const auto written = api.tables.write([&](Batch& batch) {
    refusal = change(batch);
    if (refusal) batch.fail(Error{Fault::malformed, "refused"});
  });
  if (refusal || written) return refusal;
  log(Level::error, "rest", "change not written", {{"reason", written.error().detail}});
  return Reply::error(503, "The change could not be stored. Try again later.");
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) != 1) {
    log(Level::error, "rest", "no random numbers to be had");
    std::abort();  // a guessable token is worse than none
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    hex += digits[byte >> 4];
    hex += digits[byte & 0xf];
  }
  return hex;
}

void raise_projects_generation(Batch& batch) {
  constexpr std::string_view name = "projects_generation";
  const auto stored = batch.get(Table::meta, name);
  const auto generation = stored ? KeyReader(*stored).u64() : 0;
  batch.put(Table::meta, name, Key().u64(generation + 1));
}

namespace {

// Every slug of the kind and scope that points to `id`, redirects included.
void remove_slugs_of(Batch& batch, SlugKind kind, std::uint64_t scope, std::uint64_t id) {
  const auto prefix = std::string(Key().u8(static_cast<std::uint8_t>(kind)).u64(scope).view());
  std::vector<std::string> keys;
  for_each(batch, Table::slugs, prefix, [&](std::string_view rest, std::string_view value) {
    if (KeyReader(value).u64() == id) keys.push_back(prefix + std::string(rest));
    return true;
  });
  for (const auto& key : keys)
    batch.remove(Table::slugs, key);
}

// In release_projects the project is the last of the key's fields.
void remove_release_links(Batch& batch, const schema::Project& project) {
  const auto prefix = Key().u64(project.organization());
  const auto suffix = Key().u64(project.id());
  std::vector<std::string> keys;
  for_each(batch, Table::release_projects, prefix, [&](std::string_view rest, std::string_view) {
    if (rest.ends_with(suffix.view()))
      keys.push_back(std::string(prefix.view()) + std::string(rest));
    return true;
  });
  for (const auto& key : keys)
    batch.remove(Table::release_projects, key);
}

}  // namespace

void remove_under(Batch& batch, Table table, std::string_view prefix) {
  // Gathered first: a batch's writes move its cursors.
  std::vector<std::string> keys;
  for_each(batch, table, prefix, [&](std::string_view rest, std::string_view) {
    keys.push_back(std::string(prefix) + std::string(rest));
    return true;
  });
  for (const auto& key : keys)
    batch.remove(table, key);
}

schema::Organization create_organization(Batch& batch,
                                         std::string_view slug,
                                         std::string_view name,
                                         Time now) {
  schema::Organization row;
  row.set_id(batch.next_number("organization"));
  row.set_slug(std::string(slug));
  row.set_name(std::string(name));
  row.set_created_ms(to_ms(now));
  batch.put(Table::slugs, slug_key(SlugKind::organization, 0, slug), Key().u64(row.id()));
  put_row(batch, Table::organizations, Key().u64(row.id()), row);
  return row;
}

schema::Team create_team(Batch& batch,
                         std::uint64_t organization,
                         std::string_view slug,
                         std::string_view name,
                         Time now) {
  schema::Team row;
  row.set_id(batch.next_number("team"));
  row.set_organization(organization);
  row.set_slug(std::string(slug));
  row.set_name(std::string(name));
  row.set_created_ms(to_ms(now));
  batch.put(Table::slugs, slug_key(SlugKind::team, organization, slug), Key().u64(row.id()));
  put_row(batch, Table::teams, Key().u64(row.id()), row);
  return row;
}

void rename_team(Batch& batch, schema::Team& team, std::string_view slug) {
  batch.remove(Table::slugs, slug_key(SlugKind::team, team.organization(), team.slug()));
  batch.put(Table::slugs, slug_key(SlugKind::team, team.organization(), slug),
            Key().u64(team.id()));
  team.set_slug(std::string(slug));
}

void delete_team(Batch& batch, const schema::Team& team) {
  remove_slugs_of(batch, SlugKind::team, team.organization(), team.id());
  remove_under(batch, Table::team_projects, Key().u64(team.id()));
  remove_under(batch, Table::team_members, Key().u64(team.id()));
  batch.remove(Table::teams, Key().u64(team.id()));
}

schema::Project create_project(Batch& batch, const NewProject& wanted, Time now) {
  schema::Project row;
  row.set_id(batch.next_number("project"));
  row.set_organization(wanted.organization);
  row.set_slug(wanted.slug);
  row.set_name(wanted.name);
  row.set_platform(wanted.platform);
  row.set_created_ms(to_ms(now));
  batch.put(Table::slugs, slug_key(SlugKind::project, wanted.organization, wanted.slug),
            Key().u64(row.id()));
  put_project(batch, row);
  if (wanted.team != 0) batch.put(Table::team_projects, Key().u64(wanted.team).u64(row.id()), {});
  create_key(batch, row.id(), "Default", now);
  return row;
}

void rename_project(Batch& batch, schema::Project& project, std::string_view slug) {
  batch.put(Table::slugs, slug_key(SlugKind::project, project.organization(), slug),
            Key().u64(project.id()));
  project.set_slug(std::string(slug));
}

void put_project(Batch& batch, const schema::Project& project) {
  put_row(batch, Table::projects, Key().u64(project.id()), project);
  raise_projects_generation(batch);
}

namespace {

// Nobody checks in any more, and nobody is to be told so.
void remove_monitors(Batch& batch, std::uint64_t project) {
  std::vector<schema::Monitor> doomed;
  for_each(batch, Table::monitors_by_slug, Key().u64(project), [&](std::string_view, std::string_view id) {
    if (auto monitor = find_row<schema::Monitor>(batch, Table::monitors, std::string(id))) doomed.push_back(*std::move(monitor));
    return true;
  });
  for (const auto& monitor : doomed)
    digest::delete_monitor(batch, monitor);
}

}  // namespace

void delete_project(Batch& batch, const schema::Project& project) {
  for (const auto& key : keys_of(batch, project.id()))
    delete_key(batch, key);
  remove_slugs_of(batch, SlugKind::project, project.organization(), project.id());
  digest::note_deleted_project(batch, project.id());
  for (const auto& team : teams_of(batch, project.organization())) {
    batch.remove(Table::team_projects, Key().u64(team.id()).u64(project.id()));
  }
  remove_release_links(batch, project);
  remove_monitors(batch, project.id());
  batch.remove(Table::projects, Key().u64(project.id()));
  raise_projects_generation(batch);
}

schema::ProjectKey create_key(Batch& batch,
                              std::uint64_t project,
                              std::string_view label,
                              Time now) {
  schema::ProjectKey row;
  row.set_public_key(random_hex(16));
  row.set_secret_key(random_hex(16));
  row.set_project(project);
  row.set_label(std::string(label));
  row.set_created_ms(to_ms(now));
  put_key(batch, row);
  return row;
}

void put_key(Batch& batch, const schema::ProjectKey& key) {
  put_row(batch, Table::project_keys, key.public_key(), key);
  batch.put(Table::keys_by_project, Key().u64(key.project()).raw(key.public_key()), {});
  raise_projects_generation(batch);
}

void delete_key(Batch& batch, const schema::ProjectKey& key) {
  batch.remove(Table::keys_by_project, Key().u64(key.project()).raw(key.public_key()));
  batch.remove(Table::project_keys, key.public_key());
  raise_projects_generation(batch);
}

std::vector<schema::ProjectKey> keys_of(const buffer::Reader& reader, std::uint64_t project) {
  std::vector<schema::ProjectKey> rows;
  for_each(reader, Table::keys_by_project, Key().u64(project),
           [&](std::string_view rest, std::string_view) {
             if (auto row = find_row<schema::ProjectKey>(reader, Table::project_keys, rest))
               rows.push_back(*std::move(row));
             return true;
           });
  // As they were made: the first is the one that people are given.
  std::stable_sort(rows.begin(), rows.end(),
                   [](const schema::ProjectKey& a, const schema::ProjectKey& b) {
                     return a.created_ms() < b.created_ms();
                   });
  return rows;
}

schema::Member create_member(Batch& batch, schema::Member member, Time now) {
  member.set_id(batch.next_number("member"));
  member.set_created_ms(to_ms(now));
  put_member(batch, member);
  return member;
}

void put_member(Batch& batch, const schema::Member& member) {
  put_row(batch, Table::members, Key().u64(member.organization()).u64(member.id()), member);
}

void delete_member(Batch& batch, const schema::Member& member) {
  for (const auto& team : teams_of(batch, member.organization())) {
    batch.remove(Table::team_members, Key().u64(team.id()).u64(member.id()));
  }
  batch.remove(Table::members, Key().u64(member.organization()).u64(member.id()));
}

std::string create_token(Batch& batch, const NewToken& wanted, Time now) {
  const auto clear = "sntryu_" + random_hex(32);
  schema::Token row;
  row.set_hash(sha256(clear));
  row.set_id(batch.next_number("token"));
  row.set_label(wanted.label);
  for (auto& scope : expand_scopes(wanted.scopes))
    row.add_scopes(std::move(scope));
  row.set_user(wanted.user);
  row.set_organization(wanted.organization);
  row.set_created_ms(to_ms(now));
  row.set_last_characters(clear.substr(clear.size() - 4));
  put_row(batch, Table::tokens, row.hash(), row);
  return clear;
}

}  // namespace picket::rest

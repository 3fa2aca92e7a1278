// Changes of the tables that more than one door makes: the REST endpoints, the first setup, the
// verbs. All run inside a batch, so that what belongs together is written together or not at all.
//
// INVARIANT  A change of a project or of its keys raises meta's projects_generation in the same
//            batch: ingest watches it.
#pragma once

#include "api/rest/access.h"
#include "buffer/tables.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::rest {

// Runs `change` in one batch. A Reply that it returns refuses: nothing is written. Tables that
// cannot be written answer 503.
std::optional<Reply> change_tables(
    Api& api, const std::function<std::optional<Reply>(buffer::Batch&)>& change);

// Tells intake to read projects, keys and their settings anew.
void raise_projects_generation(buffer::Batch& batch);

void remove_under(buffer::Batch& batch, buffer::Table table, std::string_view prefix);

// 2 × `bytes` lowercase hex digits from the system's cryptographic generator.
std::string random_hex(std::size_t bytes);

// ---- slugs
// ---------------------------------------------------------------------------------------

constexpr std::size_t longest_slug = 50;

// [a-z0-9_-]+, not digits only, at most `longest_slug`.
bool is_slug(std::string_view text);
// The nearest slug to a name; `fallback` when nothing of it can be kept.
std::string slug_from(std::string_view name, std::string_view fallback);
// Whether the slug is in use; a redirect that a rename left behind is not use.
bool slug_taken(const buffer::Reader& reader,
                SlugKind kind,
                std::uint64_t scope,
                std::string_view slug);
// `wanted`, or `wanted` with the first free number added.
std::string free_slug(const buffer::Reader& reader,
                      SlugKind kind,
                      std::uint64_t scope,
                      std::string_view wanted);

// ---- making and removing
// ------------------------------------------------------------------------- REQUIRES: slugs are
// valid and free.

schema::Organization create_organization(buffer::Batch& batch,
                                         std::string_view slug,
                                         std::string_view name,
                                         Time now);
schema::Team create_team(buffer::Batch& batch,
                         std::uint64_t organization,
                         std::string_view slug,
                         std::string_view name,
                         Time now);
void rename_team(buffer::Batch& batch, schema::Team& team, std::string_view slug);
void delete_team(buffer::Batch& batch, const schema::Team& team);

struct NewProject {
  std::uint64_t organization = 0;
  std::string slug;
  std::string name;
  std::string platform;
  std::uint64_t team = 0;  // 0: none
};
// With a first key, as Sentry does.
schema::Project create_project(buffer::Batch& batch, const NewProject& wanted, Time now);
// The old slug keeps pointing here until another project takes it.
void rename_project(buffer::Batch& batch, schema::Project& project, std::string_view slug);
void put_project(buffer::Batch& batch, const schema::Project& project);
// With its keys, slugs, environments and team links. Issues and events stay behind, unreachable.
void delete_project(buffer::Batch& batch, const schema::Project& project);

schema::ProjectKey create_key(buffer::Batch& batch,
                              std::uint64_t project,
                              std::string_view label,
                              Time now);
void put_key(buffer::Batch& batch, const schema::ProjectKey& key);
void delete_key(buffer::Batch& batch, const schema::ProjectKey& key);
std::vector<schema::ProjectKey> keys_of(const buffer::Reader& reader, std::uint64_t project);

schema::Member create_member(buffer::Batch& batch, schema::Member member, Time now);
void put_member(buffer::Batch& batch, const schema::Member& member);
void delete_member(buffer::Batch& batch, const schema::Member& member);

struct NewToken {
  std::string label;
  std::vector<std::string> scopes;  // with all they imply
  std::uint64_t user = 0;
  std::uint64_t organization = 0;
};
// The clear token, `sntryu_` and 64 hex digits; only its hash is kept.
std::string create_token(buffer::Batch& batch, const NewToken& wanted, Time now);

}  // namespace picket::rest

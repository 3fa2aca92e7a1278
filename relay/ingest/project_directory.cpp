#include "relay/ingest/project_directory.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

using buffer::Table;

constexpr std::uint32_t project_active = 0;

std::optional<KeyEntry> find_entry(const buffer::Reader& reader, const schema::ProjectKey& row) {
  const auto project =
      buffer::find_row<schema::Project>(reader, Table::projects, buffer::Key().u64(row.project()));
  if (!project) return std::nullopt;
  KeyEntry entry;
  entry.project = row.project();
  entry.key_enabled = !row.disabled();
  entry.project_enabled = project->status() == project_active;
  return entry;
}

std::uint64_t read_generation(const buffer::Reader& reader) {
  const auto bytes = reader.get(Table::meta, "projects_generation");
  return bytes ? buffer::KeyReader(*bytes).u64() : 0;
}

}  // namespace

ProjectDirectory::ProjectDirectory(const buffer::Tables& tables) : tables_(tables) {
  reread(tables_.snapshot(), std::chrono::steady_clock::now());
}

std::shared_ptr<const ProjectDirectory::Keys> ProjectDirectory::copy() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

ProjectDirectory::Answer ProjectDirectory::find(const relay::ProjectKey& key) const {
  const auto keys = copy();
  const auto found = keys->find(key.hex);
  if (found != keys->end() && found->second.usable()) return {true, found->second};

  const auto snapshot = tables_.snapshot();
  const auto row = buffer::find_row<schema::ProjectKey>(snapshot, Table::project_keys, key.hex);
  if (!row) return {};
  const auto entry = find_entry(snapshot, *row);
  if (!entry) return {};
  return {true, *entry};
}

void ProjectDirectory::refresh(Instant now) {
  const std::lock_guard lock(refreshing_);
  const auto snapshot = tables_.snapshot();
  const bool changed = read_generation(snapshot) != generation_;
  const bool stale = now - read_at_ >= reread_after && snapshot.transaction() != transaction_;
  if (changed || stale) reread(snapshot, now);
}

void ProjectDirectory::reread(const buffer::Snapshot& snapshot, Instant now) {
  transaction_ = snapshot.transaction();
  generation_ = read_generation(snapshot);
  read_at_ = now;

  auto keys = std::make_shared<Keys>();
  auto cursor = snapshot.cursor(Table::project_keys);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto row = buffer::parse_row<schema::ProjectKey>(cursor.value());
    const auto entry = find_entry(snapshot, row);
    if (entry) keys->emplace(std::string(cursor.key()), *entry);
  }
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

}  // namespace picket::ingest

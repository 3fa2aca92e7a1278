#include "relay/ingest/project_directory.h"

#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/ingest/spike.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace picket::ingest {
namespace {

using buffer::Table;

constexpr std::uint32_t project_active = 0;

constexpr std::int64_t hour_ms = 3'600'000;

// Sentry's: a key's limit is about errors.
std::shared_ptr<const filter::Quota> make_key_quota(const schema::ProjectKey& row) {
  if (row.rate_limit_count() == 0 || row.rate_limit_window_s() == 0) return nullptr;
  using enum relay::DataCategory;
  auto quota = std::make_shared<filter::Quota>();
  quota->id = "key";
  quota->scope = filter::Scope::key;
  quota->categories = {default_, error, security};
  quota->limit = row.rate_limit_count();
  quota->window = std::chrono::seconds(row.rate_limit_window_s());
  quota->reason = "key_quota";
  return quota;
}

std::uint64_t read_generation(const buffer::Reader& reader) {
  const auto bytes = reader.get(Table::meta, "projects_generation");
  return bytes ? buffer::KeyReader(*bytes).u64() : 0;
}

}  // namespace

ProjectDirectory::ProjectDirectory(const buffer::Tables& tables,
                                   const Clock& clock,
                                   std::vector<ConfiguredQuota> configured)
    : tables_(tables), clock_(clock), configured_(std::move(configured)) {
  reread(tables_.snapshot(), std::chrono::steady_clock::now());
}

std::shared_ptr<const ProjectDirectory::Copy> ProjectDirectory::copy() const {
  const std::lock_guard lock(mutex_);
  return copy_;
}

ProjectDirectory::Answer ProjectDirectory::find(const relay::ProjectKey& key) const {
  const auto known = copy();
  const auto found = known->keys.find(key.hex);
  if (found != known->keys.end() && found->second.usable()) return {true, found->second};

  const auto snapshot = tables_.snapshot();
  const auto row = buffer::find_row<schema::ProjectKey>(snapshot, Table::project_keys, key.hex);
  if (!row) return {};
  Settings made;
  const auto entry = find_entry(snapshot, *row, known->settings, made);
  if (!entry) return {};
  return {true, *entry};
}

std::optional<KeyEntry> ProjectDirectory::find_entry(const buffer::Reader& reader,
                                                     const schema::ProjectKey& row,
                                                     const Settings& before,
                                                     Settings& made) const {
  const auto project =
      buffer::find_row<schema::Project>(reader, Table::projects, buffer::Key().u64(row.project()));
  if (!project) return std::nullopt;
  KeyEntry entry;
  entry.project = row.project();
  entry.key_enabled = !row.disabled();
  entry.project_enabled = project->status() == project_active;
  if (!entry.usable()) return entry;
  auto& settings = made[row.project()];
  if (!settings) settings = settings_of(reader, *project, before);
  entry.settings = settings;
  entry.key_quota = make_key_quota(row);
  return entry;
}

// What was compiled before stays when nothing that it was made from has changed.
std::shared_ptr<const ProjectSettings> ProjectDirectory::settings_of(
    const buffer::Reader& reader, const schema::Project& project, const Settings& before) const {
  const auto organization = buffer::find_row<schema::Organization>(
      reader, Table::organizations, buffer::Key().u64(project.organization()));
  const auto organization_json = organization ? organization->options_json() : std::string();
  const auto spike_limit = wants_spike_protection(project.options_json())
                               ? find_spike_limit(reader, project.id(), clock_.now())
                               : 0;
  const auto known = before.find(project.id());
  if (known != before.end() && known->second->project_json == project.options_json() &&
      known->second->organization_json == organization_json &&
      known->second->organization == project.organization() &&
      known->second->spike_limit == spike_limit)
    return known->second;
  std::vector<filter::Quota> configured;
  for (const auto& one : configured_) {
    if (one.project == 0 || one.project == project.id()) configured.push_back(one.quota);
  }
  return make_project_settings(project, organization_json, configured, spike_limit);
}

void ProjectDirectory::refresh(Instant now) {
  const std::lock_guard lock(refreshing_);
  const auto snapshot = tables_.snapshot();
  const bool changed = read_generation(snapshot) != generation_;
  const bool stale = now - read_at_ >= reread_after && snapshot.transaction() != transaction_;
  const bool new_hour = spike_protected_ && to_ms(clock_.now()) / hour_ms != hour_;
  if (changed || stale || new_hour) reread(snapshot, now);
}

void ProjectDirectory::reread(const buffer::Snapshot& snapshot, Instant now) {
  transaction_ = snapshot.transaction();
  generation_ = read_generation(snapshot);
  read_at_ = now;
  hour_ = to_ms(clock_.now()) / hour_ms;

  const auto before = copy();
  const Settings none;
  auto after = std::make_shared<Copy>();
  auto cursor = snapshot.cursor(Table::project_keys);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto row = buffer::parse_row<schema::ProjectKey>(cursor.value());
    const auto entry = find_entry(snapshot, row, before ? before->settings : none, after->settings);
    if (entry) after->keys.emplace(std::string(cursor.key()), *entry);
  }
  const auto& settings = after->settings;
  spike_protected_ = std::any_of(settings.begin(), settings.end(), [](const auto& entry) {
    return entry.second->spike_protected;
  });
  const std::lock_guard lock(mutex_);
  copy_ = std::move(after);
}

}  // namespace picket::ingest

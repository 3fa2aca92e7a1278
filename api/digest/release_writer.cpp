#include "api/digest/batch_writer.h"
#include "api/digest/issue_release.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string_view>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::Table;

struct Seen {
  bool event = false;  // first_ms and last_ms are of events
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::int64_t received_ms = 0;  // the earliest
  std::uint64_t events = 0;

  void add(const DigestedEvent& added) {
    first_ms = event ? std::min(first_ms, added.timestamp_ms) : added.timestamp_ms;
    last_ms = event ? std::max(last_ms, added.timestamp_ms) : added.timestamp_ms;
    event = true;
    events += added.has_issue ? 1U : 0U;
    add_received(added.place.received_ms);
  }
  void add_received(std::int64_t ms) { received_ms = received_ms == 0 ? ms : std::min(received_ms, ms); }
};

using OfProject = std::map<std::uint64_t, Seen>;

Key release_key(std::uint64_t organization, std::string_view version) {
  return std::move(Key().u64(organization).text(version));
}

void write_release(WriteContext& context,
                   std::uint64_t organization,
                   std::string_view version,
                   const OfProject& seen) {
  const auto key = release_key(organization, version);
  if (!context.batch.get(Table::releases, key)) {
    auto created = seen.begin()->second.received_ms;
    for (const auto& [project, times] : seen)
      created = std::min(created, times.received_ms);
    schema::Release row;
    row.set_id(context.batch.next_number("release"));
    row.set_organization(organization);
    row.set_version(version.data(), version.size());
    row.set_created_ms(created);
    buffer::put_row(context.batch, Table::releases, key, row);
  }
  const auto news = context.new_issues.find({organization, version});
  for (const auto& [project, times] : seen) {
    const auto project_key = Key().raw(key).u64(project);
    auto stored = buffer::find_row<schema::ReleaseProject>(context.batch, Table::release_projects, project_key);
    if (!stored) note_release(context.batch, project, version, times.received_ms);
    auto row = std::move(stored).value_or(schema::ReleaseProject());
    row.set_events(row.events() + times.events);
    if (times.event) {
      const bool first = row.first_event_ms() == 0;
      row.set_first_event_ms(first ? times.first_ms : std::min(row.first_event_ms(), times.first_ms));
      row.set_last_event_ms(first ? times.last_ms : std::max(row.last_event_ms(), times.last_ms));
    }
    if (news != context.new_issues.end() && news->second.contains(project)) {
      row.set_new_issues(row.new_issues() + news->second.at(project));
    }
    buffer::put_row(context.batch, Table::release_projects, project_key, row);
  }
}

void write_environment(WriteContext& context,
                       std::uint64_t project,
                       std::string_view name,
                       const Seen& seen) {
  const auto key = Key().u64(project).text(name);
  auto row = buffer::find_row<schema::EnvironmentRow>(context.batch, Table::environments, key);
  if (!row) {
    row.emplace();
    row->set_id(context.batch.next_number("environment"));
    row->set_first_seen_ms(seen.event ? seen.first_ms : seen.received_ms);
  }
  row->set_first_seen_ms(std::min<std::int64_t>(row->first_seen_ms(), seen.event ? seen.first_ms : seen.received_ms));
  row->set_last_seen_ms(std::max<std::int64_t>(row->last_seen_ms(), seen.event ? seen.last_ms : seen.received_ms));
  buffer::put_row(context.batch, Table::environments, key, *row);
}

}  // namespace

void write_releases(WriteContext& context) {
  std::map<std::pair<std::uint64_t, std::string_view>, OfProject> releases;
  std::map<std::pair<std::uint64_t, std::string_view>, Seen> environments;
  for (const auto index : context.kept) {
    const auto& event = context.event(index);
    const auto project = event.place.project;
    if (!event.release.empty()) {
      const auto organization = context.projects[project].row.organization();
      releases[{organization, event.release}][project].add(event);
    }
    if (!event.environment.empty()) environments[{project, event.environment}].add(event);
  }
  for (const auto& sighting : context.sightings) {
    const auto organization = context.projects[sighting.project].row.organization();
    if (!sighting.release.empty())
      releases[{organization, sighting.release}][sighting.project].add_received(sighting.received_ms);
    if (!sighting.environment.empty())
      environments[{sighting.project, sighting.environment}].add_received(sighting.received_ms);
  }
  for (const auto& [of, seen] : releases)
    write_release(context, of.first, of.second, seen);
  for (const auto& [of, seen] : environments)
    write_environment(context, of.first, of.second, seen);
}

}  // namespace picket::digest

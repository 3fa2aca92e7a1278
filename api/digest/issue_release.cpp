#include "api/digest/issue_release.h"

#include "api/digest/issue_life.h"
#include "api/digest/issue_state.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

namespace json = boost::json;
using buffer::Batch;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;

// Stored in keys: never renumber.
enum class AwaitedKind : std::uint8_t { next = 1, commit = 2 };

constexpr std::string_view arrival_prefix = "release_came/";

json::object resolution_details(const schema::Issue& issue) {
  json::error_code error;
  auto value = json::parse(issue.status_details_json().empty() ? "{}" : issue.status_details_json(), error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

std::string awaited_commit(const json::object& details) {
  const auto* in_commit = details.if_contains("inCommit");
  const auto* object = in_commit ? in_commit->if_object() : nullptr;
  const auto* commit = object ? object->if_contains("commit") : nullptr;
  return commit && commit->is_string() ? std::string(commit->get_string()) : std::string();
}

// Nothing for an issue that awaits no release.
std::optional<Key> awaited_key(const schema::Issue& issue) {
  if (status_of(issue) != Status::resolved || issue.merged_into() != 0) return std::nullopt;
  const auto details = resolution_details(issue);
  Key key;
  key.u64(issue.project());
  if (details.contains("inNextRelease") || details.contains("inUpcomingRelease"))
    return std::move(key.u8(static_cast<std::uint8_t>(AwaitedKind::next)).u64(issue.id()));
  const auto commit = awaited_commit(details);
  if (commit.empty() || !issue.resolved_after().empty()) return std::nullopt;
  return std::move(key.u8(static_cast<std::uint8_t>(AwaitedKind::commit)).text(commit).u64(issue.id()));
}

// The release that has come, and what of it has been asked for so far.
class Arrived {
 public:
  Arrived(const buffer::Reader& reader, const schema::ReleaseArrival& arrival) : arrival_(arrival) {
    const auto project = find_row<schema::Project>(reader, Table::projects, Key().u64(arrival.project()));
    if (!project) return;
    organization_ = project->organization();
    row_ = find_row<schema::Release>(reader, Table::releases, Key().u64(organization_).text(arrival.version()));
  }

  // False when project or release are gone again.
  bool there() const { return row_.has_value(); }
  const std::string& version() const { return arrival_.version(); }
  std::int64_t at_ms() const { return arrival_.at_ms(); }

  // Whether an event of it would bring the issue back.
  bool comes_after(const buffer::Reader& reader, const schema::Issue& issue) const {
    const auto resolution = resolution_of(issue);
    Recurrence recurrence{.release = version()};
    recurrence.release_ms = release_ms(reader, organization_, version());
    if (!resolution.release.empty())
      recurrence.resolved_release_ms = release_ms(reader, organization_, resolution.release);
    return regresses(issue, resolution, recurrence);
  }

  bool has_commit(const std::string& id) {
    if (!commits_) read_commits();
    return commits_->contains(id);
  }

 private:
  void read_commits() {
    commits_.emplace();
    json::error_code error;
    const auto list = json::parse(row_->commits_json().empty() ? "[]" : row_->commits_json(), error);
    if (error || !list.is_array()) return;
    for (const auto& each : list.get_array()) {
      const auto* commit = each.if_object();
      const auto* id = commit ? commit->if_contains("id") : nullptr;
      if (id && id->is_string()) commits_->emplace(id->get_string());
    }
  }

  const schema::ReleaseArrival& arrival_;
  std::uint64_t organization_ = 0;
  std::optional<schema::Release> row_;
  std::optional<std::set<std::string>> commits_;
};

// The activity that said "the next release", as Sentry has it, says which from then on.
void name_in_feed(Batch& batch, std::uint64_t issue, const std::string& version) {
  constexpr int most_looked_at = 50;
  std::string key;
  schema::Activity activity;
  json::object data;
  {
    const auto prefix = Key().u64(issue);
    auto cursor = batch.cursor(Table::activities);
    bool more = cursor.seek(prefix);
    for (int i = 0; more && i < most_looked_at && cursor.key().starts_with(prefix.view()); ++i, more = cursor.next()) {
      auto row = buffer::parse_row<schema::Activity>(cursor.value());
      if (row.type() != "set_resolved_in_release") continue;
      json::error_code error;
      auto value = json::parse(row.data_json(), error);
      const auto* named = !error && value.is_object() ? value.get_object().if_contains("version") : nullptr;
      if (named && named->is_string() && named->get_string().empty()) {
        key = cursor.key();
        activity = std::move(row);
        data = std::move(value.get_object());
      }
      break;
    }
  }
  if (key.empty()) return;
  data["version"] = version;
  activity.set_data_json(json::serialize(data));
  put_row(batch, Table::activities, key, activity);
}

void settle_one(Batch& batch, std::string_view awaited, Arrived& release) {
  KeyReader key(awaited);
  key.u64();  // the project
  const auto kind = static_cast<AwaitedKind>(key.u8());
  const std::string commit(kind == AwaitedKind::commit ? key.text() : std::string_view());
  auto issue = find_row<schema::Issue>(batch, Table::issues, Key().u64(key.u64()));
  if (!issue) return batch.remove(Table::awaited_releases, awaited);
  auto details = resolution_details(*issue);
  if (kind == AwaitedKind::next) {
    if (!release.comes_after(batch, *issue)) return;
    details.erase("inNextRelease");
    details.erase("inUpcomingRelease");
    issue->set_next_release_named(true);
    name_in_feed(batch, issue->id(), release.version());
  } else {
    if (!release.has_commit(awaited_commit(details))) return;
    details.erase("inCommit");
    json::object said{{"version", release.version()}, {"commit", commit}};
    put_activity(batch, issue->id(), "set_resolved_in_release", release.at_ms(), json::serialize(said));
  }
  batch.remove(Table::awaited_releases, awaited);
  details["inRelease"] = release.version();
  issue->set_status_details_json(json::serialize(details));
  put_row(batch, Table::issues, Key().u64(issue->id()), *issue);
}

std::vector<std::string> awaited_after(const buffer::Reader& reader, std::uint64_t project, const std::string& after, std::size_t most) {
  std::vector<std::string> keys;
  const auto prefix = Key().u64(project);
  auto cursor = reader.cursor(Table::awaited_releases);
  for (bool more = cursor.seek(after.empty() ? prefix.view() : std::string_view(after));
       more && keys.size() < most && cursor.key().starts_with(prefix.view()); more = cursor.next()) {
    if (cursor.key() != after) keys.emplace_back(cursor.key());
  }
  return keys;
}

}  // namespace

void forget_release(Batch& batch, const schema::Issue& issue) {
  if (const auto key = awaited_key(issue)) batch.remove(Table::awaited_releases, *key);
}

void await_release(Batch& batch, const schema::Issue& issue) {
  if (const auto key = awaited_key(issue)) batch.put(Table::awaited_releases, *key, {});
}

void note_release(Batch& batch, std::uint64_t project, std::string_view version, std::int64_t at_ms) {
  if (awaited_after(batch, project, {}, 1).empty()) return;
  schema::ReleaseArrival arrival;
  arrival.set_project(project);
  arrival.set_version(version.data(), version.size());
  arrival.set_at_ms(at_ms);
  put_row(batch, Table::meta, Key().raw(arrival_prefix).u64(batch.next_number("release_arrival")), arrival);
}

bool any_release_came(const buffer::Reader& reader) {
  auto cursor = reader.cursor(Table::meta);
  return cursor.seek(arrival_prefix) && cursor.key().starts_with(arrival_prefix);
}

void settle_releases(Batch& batch, std::size_t most) {
  while (most > 0) {
    std::string note;
    schema::ReleaseArrival arrival;
    {
      auto cursor = batch.cursor(Table::meta);
      if (!cursor.seek(arrival_prefix) || !cursor.key().starts_with(arrival_prefix)) return;
      note = cursor.key();
      arrival = buffer::parse_row<schema::ReleaseArrival>(cursor.value());
    }
    Arrived release(batch, arrival);
    const auto keys = release.there() ? awaited_after(batch, arrival.project(), arrival.after(), most) : std::vector<std::string>();
    for (const auto& key : keys) settle_one(batch, key, release);
    if (keys.size() < most) {
      batch.remove(Table::meta, note);
    } else {
      arrival.set_after(keys.back());
      put_row(batch, Table::meta, note, arrival);
    }
    most -= std::min(most, keys.size() + 1);
  }
}

std::int64_t release_ms(const buffer::Reader& reader, std::uint64_t organization, std::string_view version) {
  const auto row = find_row<schema::Release>(reader, Table::releases, Key().u64(organization).text(version));
  if (!row) return 0;
  return row->released_ms() != 0 ? row->released_ms() : row->created_ms();
}

}  // namespace picket::digest

#include "buffer/event_ids.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"

#include <algorithm>
#include <random>
#include <string>

namespace picket::buffer {
namespace {


constexpr std::string_view id_secret_key = "event_id_secret";

std::optional<IdHashSecret> find_id_secret(const Reader& reader) {
  const auto stored = reader.get(Table::meta, id_secret_key);
  if (!stored) return std::nullopt;
  KeyReader halves(*stored);
  const auto first = halves.u64();
  return IdHashSecret{first, halves.u64()};
}

IdHashSecret id_secret_of(Batch& batch) {
  if (const auto known = find_id_secret(batch)) return *known;
  std::random_device random;
  const auto draw = [&] { return (std::uint64_t{random()} << 32) ^ random(); };
  const IdHashSecret secret{draw(), draw()};
  batch.put(Table::meta, id_secret_key, Key().u64(secret[0]).u64(secret[1]));
  return secret;
}

Key spot_key(const EventSpot& spot) {
  return std::move(Key().u64(spot.sequence).u16(spot.item));
}

// The event there is the one that was asked for.
bool is_event(const Reader& reader, const EventSpot& spot, std::uint64_t project, std::string_view raw_id) {
  const auto row = find_row<schema::EventRow>(reader, Table::events, spot_key(spot));
  return row && row->project() == project && row->event_id() == raw_id;
}

// Runs of a project, newest first, until `visit` returns false. One that makes no sense is passed over.
template <class Visit>
void for_each_run(const Reader& reader, std::uint64_t project, Visit visit) {
  const auto prefix = Key().u64(project);
  auto cursor = reader.cursor(Table::event_id_runs);
  bool there = cursor.seek_before(Key(prefix).u64(~std::uint64_t{0}).u8(0));
  for (; there && cursor.key().starts_with(prefix.view()); there = cursor.previous()) {
    const auto run = IdRun::parse(cursor.value());
    if (!run) {
      log(Level::error, "digest", "a run of event ids makes no sense", {{"project", project}});
    }
    if (!visit(cursor.key(), run)) return;
  }
}

}  // namespace

EventIdLookup::EventIdLookup(const Reader& reader)
    : reader_(reader), secret_(find_id_secret(reader)), old_rows_(reader.entries(Table::event_ids) > 0) {}

std::optional<EventSpot> EventIdLookup::find(std::uint64_t project, std::string_view raw_id) {
  if (old_rows_) {
    if (const auto place = reader_.get(Table::event_ids, Key().u64(project).raw(raw_id))) {
      KeyReader key(*place);
      const auto sequence = key.u64();
      return EventSpot{sequence, key.u16()};
    }
  }
  for (const auto& candidate : candidates(project, raw_id)) {
    const EventSpot spot{candidate.sequence, candidate.item};
    if (is_event(reader_, spot, project, raw_id)) return spot;
  }
  return std::nullopt;
}

std::span<const HashedId> EventIdLookup::candidates(std::uint64_t project, std::string_view raw_id) {
  candidates_.clear();
  if (!secret_) return {};
  if (project_ != project) {
    project_ = project;
    runs_.clear();
    for_each_run(reader_, project, [&](std::string_view, const std::optional<IdRun>& run) {
      if (run) runs_.push_back(*run);
      return true;
    });
  }
  const auto hash = id_hash(*secret_, raw_id);
  for (const auto& run : runs_) run.find(hash, candidates_);
  return candidates_;
}

std::optional<EventSpot> find_event_id(const Reader& reader, std::uint64_t project, std::string_view raw_id) {
  return EventIdLookup(reader).find(project, raw_id);
}

void add_event_ids(Batch& batch, std::uint64_t project, const std::vector<NewEventId>& ids) {
  if (ids.empty()) return;
  const auto secret = id_secret_of(batch);
  std::vector<HashedId> all;
  all.reserve(ids.size());
  for (const auto& id : ids) all.push_back({id_hash(secret, id.raw_id), id.spot.sequence, id.spot.item});
  // Each of the last runs that is smaller than twice what comes after it becomes one with that.
  std::vector<std::string> merged;
  std::uint64_t number = 0;
  for_each_run(batch, project, [&](std::string_view key, const std::optional<IdRun>& run) {
    const auto own = KeyReader(key.substr(8)).u64();
    number = std::max(number, own);
    if (!run || run->size() >= 2 * all.size() || run->size() + all.size() > most_run_ids) return false;
    run->read(all);
    merged.emplace_back(key);
    return true;
  });
  std::ranges::sort(all);
  for (const auto& key : merged) batch.remove(Table::event_id_runs, key);
  // The numbers of what was merged are free again, but runs stay in the order of their records.
  auto next = merged.empty() ? number + 1 : KeyReader(std::string_view(merged.back()).substr(8)).u64();
  for (std::size_t begin = 0; begin < all.size(); begin += most_run_ids) {
    const auto part = std::span(all).subspan(begin, std::min(most_run_ids, all.size() - begin));
    batch.put(Table::event_id_runs, Key().u64(project).u64(next++), render_id_run(part));
  }
}

namespace {

// Calls `doomed` with the keys of runs before the floor; false once it returns false.
template <class Doomed>
bool for_each_run_before(const Reader& reader, std::uint64_t floor, Doomed doomed) {
  auto cursor = reader.cursor(Table::event_id_runs);
  bool there = cursor.first();
  while (there) {
    const auto run = IdRun::parse(cursor.value());
    if (!run || run->last_sequence() < floor) {
      if (!doomed(cursor.key())) return false;
      there = cursor.next();
    } else {
      // A project's runs are in the order of their records: the next that may go is another's.
      const auto project = KeyReader(cursor.key()).u64();
      there = cursor.seek(Key().u64(project).u64(~std::uint64_t{0}).u8(0));
    }
  }
  return true;
}

}  // namespace

TrimmedIdRuns trim_event_ids(Batch& batch, std::uint64_t floor, std::size_t most) {
  std::vector<std::string> keys;
  TrimmedIdRuns trimmed;
  trimmed.done = for_each_run_before(batch, floor, [&](std::string_view key) {
    if (keys.size() == most) return false;
    keys.emplace_back(key);
    return true;
  });
  for (const auto& key : keys) batch.remove(Table::event_id_runs, key);
  trimmed.runs = keys.size();
  return trimmed;
}

bool any_event_ids_before(const Reader& reader, std::uint64_t floor) {
  return !for_each_run_before(reader, floor, [](std::string_view) { return false; });
}

std::size_t remove_events_of_project(Batch& batch, std::uint64_t project, std::size_t most) {
  std::size_t removed = 0;
  while (removed < most) {
    std::string newest;
    std::vector<HashedId> ids;
    for_each_run(batch, project, [&](std::string_view key, const std::optional<IdRun>& run) {
      newest = key;
      if (run) run->read(ids);
      return false;
    });
    if (newest.empty()) return removed;
    const auto left = most - removed;
    if (ids.size() > left) {
      // What stays of the run is a run.
      std::ranges::sort(ids, {}, &HashedId::sequence);
      const auto kept = static_cast<std::ptrdiff_t>(ids.size() - left);
      std::vector<HashedId> rest(ids.begin(), ids.begin() + kept);
      ids.erase(ids.begin(), ids.begin() + kept);
      std::ranges::sort(rest);
      batch.put(Table::event_id_runs, newest, render_id_run(rest));
    } else {
      batch.remove(Table::event_id_runs, newest);
    }
    std::vector<EventSpot> spots;
    for (const auto& id : ids) spots.push_back({id.sequence, id.item});
    std::ranges::sort(spots, [](const EventSpot& a, const EventSpot& b) {
      return a.sequence != b.sequence ? a.sequence < b.sequence : a.item < b.item;
    });
    for (const auto& spot : spots) {
      const auto row = find_row<schema::EventRow>(batch, Table::events, spot_key(spot));
      if (row && row->project() == project) batch.remove(Table::events, spot_key(spot));
    }
    removed += ids.size();
  }
  return removed;
}

}  // namespace picket::buffer

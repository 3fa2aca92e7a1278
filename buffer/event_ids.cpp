#include "buffer/event_ids.h"

#include "buffer/keys.h"
#include "buffer/logger.h"
#include "buffer/rows.h"

#include <algorithm>
#include <bit>
#include <iterator>
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

// One run, of which the parts are read, the last one first.
struct LastRun {
  std::vector<IdRun> parts;
  std::vector<std::string> keys;
  std::size_t ids = 0;

  // Whether what comes before is one more part of it: none yet, or as large a share of all hashes, and smaller ones.
  bool continues_with(const IdRun& run) const {
    if (parts.empty()) return true;
    const auto own = run.eighths();
    const auto behind = parts.back().eighths();
    return std::popcount(own) == std::popcount(behind) && own < behind;
  }
  void take(std::string_view key, const IdRun& run) {
    parts.push_back(run);
    keys.emplace_back(key);
    ids += run.size();
  }
};

// How many bits of the hashes tell the parts of so many ids.
unsigned bits_of_parts(std::size_t ids) {
  unsigned bits = 0;
  while (bits < part_bits && ids >> bits > most_part_ids) ++bits;
  return bits;
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
    for (auto& having : by_eighth_) having.clear();
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const auto eighths = runs_[i].eighths();
      for (std::size_t eighth = 0; eighth < by_eighth_.size(); ++eighth) {
        if ((eighths >> eighth & 1) != 0) by_eighth_[eighth].push_back(i);
      }
    }
  }
  const auto hash = id_hash(*secret_, raw_id);
  for (const auto index : by_eighth_[hash >> (id_hash_bits - part_bits)]) runs_[index].find(hash, candidates_);
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
  LastRun last;
  const auto merge_last = [&] {
    for (const auto& part : last.parts) part.read(all);
    std::ranges::move(last.keys, std::back_inserter(merged));
    last = {};
  };
  std::uint64_t number = 0;
  bool fits = true;
  for_each_run(batch, project, [&](std::string_view key, const std::optional<IdRun>& run) {
    number = std::max(number, KeyReader(key.substr(8)).u64());
    if (!run) return false;
    if (!last.continues_with(*run)) merge_last();
    last.take(key, *run);
    fits = last.ids < 2 * all.size() && last.ids + all.size() <= most_run_ids;
    return fits;
  });
  if (fits) merge_last();
  std::ranges::sort(all);
  for (const auto& key : merged) batch.remove(Table::event_id_runs, key);
  // The numbers of what was merged are free again, but runs stay in the order of their records.
  auto next = merged.empty() ? number + 1 : KeyReader(std::string_view(merged.back()).substr(8)).u64();
  const auto put = [&](std::span<const HashedId> part) {
    while (!part.empty()) {
      const auto most = std::min(most_run_ids, part.size());
      batch.put(Table::event_id_runs, Key().u64(project).u64(next++), render_id_run(part.first(most)));
      part = part.subspan(most);
    }
  };
  const auto bits = bits_of_parts(all.size());
  for (auto from = all.begin(); from != all.end();) {
    const auto first_bits = from->hash >> (id_hash_bits - bits);
    const auto to = std::ranges::find_if(from, all.end(), [&](const HashedId& id) { return id.hash >> (id_hash_bits - bits) != first_bits; });
    put({from, to});
    from = to;
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

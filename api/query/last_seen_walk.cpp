#include "api/query/last_seen_walk.h"

#include "buffer/keys.h"

#include <algorithm>
#include <utility>

namespace picket::query {

LastSeenWalk::LastSeenWalk(const buffer::Reader& reader, std::span<const std::uint64_t> projects) {
  runs_.reserve(projects.size());
  for (const auto project : projects) {
    Run run{reader.cursor(buffer::Table::issues_by_last_seen), project};
    run.cursor.seek(buffer::Key().u64(project));
    if (read(run)) runs_.push_back(std::move(run));
  }
  std::ranges::make_heap(runs_, is_older);
}

bool LastSeenWalk::read(Run& run) {
  if (!run.cursor.valid()) return false;
  buffer::KeyReader key(run.cursor.key());
  if (key.u64() != run.project) return false;
  run.place.last_seen_ms = static_cast<std::int64_t>(key.descending());
  run.place.issue = key.u64();
  return true;
}

std::optional<LastSeenWalk::Place> LastSeenWalk::next() {
  if (runs_.empty()) return std::nullopt;
  std::ranges::pop_heap(runs_, is_older);
  auto& run = runs_.back();
  const auto place = run.place;
  run.cursor.next();
  if (read(run)) {
    std::ranges::push_heap(runs_, is_older);
  } else {
    runs_.pop_back();
  }
  return place;
}

}  // namespace picket::query

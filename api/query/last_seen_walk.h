// Issues in the order of Table::issues_by_last_seen, across projects: newest last seen first. Issues of
// the same time come in any order.
//
// THREADS  Belongs to the thread of its reader; must not outlive it.
#pragma once

#include "buffer/tables.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace picket::query {

class LastSeenWalk {
 public:
  struct Place {
    std::uint64_t issue = 0;
    std::int64_t last_seen_ms = 0;
  };
  LastSeenWalk(const buffer::Reader& reader, std::span<const std::uint64_t> projects);

  // Nothing at the end.
  std::optional<Place> next();

 private:
  struct Run {
    buffer::RowCursor cursor;
    std::uint64_t project = 0;
    Place place{};
  };
  static bool read(Run& run);
  static bool is_older(const Run& a, const Run& b) { return a.place.last_seen_ms < b.place.last_seen_ms; }

  std::vector<Run> runs_;  // a heap, the newest on top
};

}  // namespace picket::query

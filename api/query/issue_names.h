// The names of issues: numbers, short ids ("SHOP-1A") and the ids of their events.
#pragma once

#include "buffer/schema/rows.pb.h"
#include "buffer/tables.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::query {

// The project's slug in capitals, '-', and the number within the project in Crockford's base 32.
std::string render_short_id(std::string_view project_slug, std::uint64_t short_number);

// The issue with that short id in one of the projects.
std::optional<std::uint64_t> find_short_id(const buffer::Reader& reader,
                                           std::span<const std::uint64_t> projects,
                                           std::string_view short_id);

// Where an event is: its journal record and item, and its project.
struct EventPlace {
  std::uint64_t project = 0;
  std::uint64_t sequence = 0;
  std::uint16_t item = 0;
};
std::optional<EventPlace> find_event(const buffer::Reader& reader,
                                     std::span<const std::uint64_t> projects,
                                     std::string_view event_id);  // 32 hex digits or a UUID

// The issues (none or one a project) that have an event with this id.
std::vector<std::uint64_t> issues_of_event(const buffer::Reader& reader,
                                           std::span<const std::uint64_t> projects,
                                           std::string_view event_id);

// Follows merges to the issue that an id stands for today. Nothing when there is none.
std::optional<std::uint64_t> resolve_issue(const buffer::Reader& reader, std::uint64_t id);
std::optional<schema::Issue> find_issue(const buffer::Reader& reader, std::uint64_t id);  // its row

}  // namespace picket::query

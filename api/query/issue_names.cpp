#include "api/query/issue_names.h"

#include "buffer/event_ids.h"
#include "api/query/pattern.h"
#include "buffer/keys.h"
#include "buffer/rows.h"
#include "relay/protocol/envelope.h"

#include <algorithm>

namespace picket::query {
namespace {

using buffer::Key;
using buffer::Table;

constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

std::optional<std::uint64_t> parse_base32(std::string_view text) {
  if (text.empty() || text.size() > 12) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    const auto digit = digits.find(upper);
    if (digit == std::string_view::npos) return std::nullopt;
    number = number * 32 + digit;
  }
  return number;
}

std::optional<EventPlace> find_in_project(const buffer::Reader& reader, std::uint64_t project, std::string_view raw_id) {
  const auto spot = buffer::find_event_id(reader, project, raw_id);
  if (!spot) return std::nullopt;
  return EventPlace{project, spot->sequence, spot->item};
}

}  // namespace

std::string render_short_id(std::string_view project_slug, std::uint64_t short_number) {
  std::string number;
  do {
    number += digits[short_number % 32];
    short_number /= 32;
  } while (short_number != 0);
  std::reverse(number.begin(), number.end());
  std::string id(project_slug);
  for (char& c : id) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return id + "-" + number;
}

std::optional<std::uint64_t> find_short_id(const buffer::Reader& reader,
                                           std::span<const std::uint64_t> projects,
                                           std::string_view short_id) {
  const auto dash = short_id.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const auto number = parse_base32(short_id.substr(dash + 1));
  if (!number) return std::nullopt;
  const auto slug = lower_ascii(short_id.substr(0, dash));
  for (const auto project : projects) {
    const auto row = buffer::find_row<schema::Project>(reader, Table::projects, Key().u64(project));
    if (!row || row->slug() != slug) continue;
    const auto stored = reader.get(Table::short_ids, Key().u64(project).u64(*number));
    if (stored) return resolve_issue(reader, buffer::KeyReader(*stored).u64());
  }
  return std::nullopt;
}

std::optional<EventPlace> find_event(const buffer::Reader& reader,
                                     std::span<const std::uint64_t> projects,
                                     std::string_view event_id) {
  const auto id = relay::parse_event_id(event_id);
  if (!id) return std::nullopt;
  for (const auto project : projects) {
    if (const auto place = find_in_project(reader, project, relay::raw_bytes(*id))) return place;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> issues_of_event(const buffer::Reader& reader,
                                           std::span<const std::uint64_t> projects,
                                           std::string_view event_id) {
  std::vector<std::uint64_t> issues;
  const auto id = relay::parse_event_id(event_id);
  if (!id) return issues;
  for (const auto project : projects) {
    const auto place = find_in_project(reader, project, relay::raw_bytes(*id));
    if (!place) continue;
    const auto row = buffer::find_row<schema::EventRow>(reader, Table::events, Key().u64(place->sequence).u16(place->item));
    if (!row || row->issue() == 0) continue;
    if (const auto issue = resolve_issue(reader, row->issue())) issues.push_back(*issue);
  }
  return issues;
}

std::optional<schema::Issue> find_issue(const buffer::Reader& reader, std::uint64_t id) {
  // Merges point at an unmerged issue; a few steps cover merges of merges, a circle ends.
  for (int steps = 0; steps < 10; ++steps) {
    auto row = buffer::find_row<schema::Issue>(reader, Table::issues, Key().u64(id));
    if (!row || row->merged_into() == 0) {
      if (row) row->set_id(id);
      return row;
    }
    id = row->merged_into();
  }
  return std::nullopt;
}

std::optional<std::uint64_t> resolve_issue(const buffer::Reader& reader, std::uint64_t id) {
  const auto row = find_issue(reader, id);
  return row ? std::optional(row->id()) : std::nullopt;
}

}  // namespace picket::query

#include "buffer/moved.h"

#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::buffer {
namespace {

using Ranges = std::vector<std::pair<Sequence, Sequence>>;  // first and last, ascending, apart

Ranges cut(const Ranges& a, const Ranges& b) {
  Ranges both;
  for (const auto& [a_first, a_last] : a) {
    for (const auto& [b_first, b_last] : b) {
      const auto first = std::max(a_first, b_first);
      const auto last = std::min(a_last, b_last);
      if (first <= last) both.emplace_back(first, last);
    }
  }
  return both;
}

Ranges unwanted_of(const schema::Destination& row) {
  Ranges ranges;
  for (int i = 0; i + 1 < row.unwanted_size(); i += 2) ranges.emplace_back(row.unwanted(i), row.unwanted(i + 1));
  return ranges;
}

bool all_have_passed(const Reader& tables, Sequence last) {
  bool digested = false;
  auto cursor = tables.cursor(Table::cursors);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    if (parse_row<schema::Cursor>(cursor.value()).next_sequence() <= last) return false;
    digested = digested || cursor.key() == "digest";
  }
  return digested;
}

bool is_quarantined(const Reader& tables, const std::string& destination, Sequence first, Sequence last) {
  const std::string prefix(Key().text(destination).view());
  auto cursor = tables.cursor(Table::quarantine);
  if (!cursor.seek(Key().text(destination).u64(first).view()) || !cursor.key().starts_with(prefix)) return false;
  return parse_row<schema::Quarantined>(cursor.value()).sequence() <= last;
}

}  // namespace

bool is_moved(const Reader& tables, Sequence first, Sequence last) {
  Ranges nowhere{{first, last}};
  bool any = false;
  auto cursor = tables.cursor(Table::destinations);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const auto row = parse_row<schema::Destination>(cursor.value());
    if (row.retired_ms() != 0) continue;
    const bool waits = std::any_of(row.deferred().begin(), row.deferred().end(),
                                   [&](Sequence sequence) { return sequence >= first && sequence <= last; });
    if (waits || !tables.get(Table::cursors, "upstream/" + row.name())) return false;
    if (is_quarantined(tables, row.name(), first, last)) return false;
    if (!row.forward_only()) continue;
    any = true;
    nowhere = cut(nowhere, unwanted_of(row));
  }
  return any && nowhere.empty() && all_have_passed(tables, last);
}

}  // namespace picket::buffer

#include "api/digest/expiry.h"

#include "api/digest/monitor_state.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

using Doomed = std::vector<std::pair<Table, std::string>>;

std::uint64_t before(Time now, Duration age) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(now - age)));
}

void gather_sessions(const buffer::Reader& reader, std::uint64_t until_ms, std::size_t most, Doomed& doomed) {
  auto cursor = reader.cursor(Table::sessions_by_age);
  std::size_t found = 0;
  for (bool there = cursor.first(); there && found < most; there = cursor.next(), ++found) {
    KeyReader key(cursor.key());
    if (key.u64() >= until_ms) return;
    doomed.emplace_back(Table::sessions, key.rest());
    doomed.emplace_back(Table::sessions_by_age, cursor.key());
  }
}

// Keys begin with project and hour: each project's oldest come first.
void gather_hours(const buffer::Reader& reader, Table table, std::uint64_t until_ms, std::size_t most, Doomed& doomed) {
  auto cursor = reader.cursor(table);
  std::size_t found = 0;
  for (bool there = cursor.first(); there && found < most;) {
    KeyReader key(cursor.key());
    const auto project = key.u64();
    if (key.u64() < until_ms) {
      doomed.emplace_back(table, cursor.key());
      ++found;
      there = cursor.next();
    } else {
      there = cursor.seek(Key().u64(project + 1));
    }
  }
}

// Each monitor's newest come first: from its end backwards.
void gather_check_ins(const buffer::Reader& reader, std::int64_t until_ms, std::size_t most, Doomed& doomed) {
  auto monitors = reader.cursor(Table::monitors);
  std::size_t found = 0;
  for (bool there = monitors.first(); there; there = monitors.next()) {
    const auto monitor = buffer::parse_row<schema::Monitor>(monitors.value());
    const auto prefix = Key().u64(monitor.id());
    auto cursor = reader.cursor(Table::check_ins);
    for (bool more = cursor.seek_before(Key().u64(monitor.id() + 1)); more && cursor.key().starts_with(prefix.view()) && found < most; more = cursor.previous()) {
      const auto row = buffer::parse_row<schema::CheckInRow>(cursor.value());
      if (row.added_ms() >= until_ms || row.status() == static_cast<std::uint32_t>(CheckInStatus::in_progress)) break;
      doomed.emplace_back(Table::check_ins, cursor.key());
      doomed.emplace_back(Table::check_ins_by_id, Key().u64(monitor.project()).raw(row.id()).view());
      ++found;
    }
  }
}

Doomed gather(const buffer::Reader& reader, Time now, std::size_t most) {
  Doomed doomed;
  gather_sessions(reader, before(now, session_age), most, doomed);
  gather_hours(reader, Table::session_counts, before(now, history_age), most, doomed);
  gather_hours(reader, Table::session_users, before(now, history_age), most, doomed);
  gather_check_ins(reader, to_ms(now - history_age), most, doomed);
  return doomed;
}

}  // namespace

Result<bool> expire(buffer::Tables& tables, Time now, std::size_t most_rows) {
  if (gather(tables.snapshot(), now, 1).empty()) return true;
  const auto written = tables.write([&](buffer::Batch& batch) {
    for (const auto& [table, key] : gather(batch, now, most_rows))
      batch.remove(table, key);
  });
  if (!written) return written.error();
  return false;
}

}  // namespace picket::digest

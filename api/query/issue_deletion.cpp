#include "api/query/issue_deletion.h"

#include "api/digest/postings.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace picket::query {
namespace {

using buffer::Batch;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::string_view note_prefix = "deleting/";
constexpr std::size_t rows_per_batch = 4'000;

std::vector<std::string> keys_under(const buffer::Reader& reader, Table table, std::string_view prefix, std::size_t most) {
  std::vector<std::string> keys;
  auto cursor = reader.cursor(table);
  for (bool more = cursor.seek(prefix); more && keys.size() < most && cursor.key().starts_with(prefix); more = cursor.next()) {
    keys.emplace_back(cursor.key());
  }
  return keys;
}

void hide(Batch& batch, std::uint64_t id) {
  const auto key = Key().u64(id);
  const auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, key);
  if (!issue) return;
  const auto project = issue->project();
  if (const auto counters = buffer::find_row<schema::IssueCounters>(batch, Table::issue_counters, key)) {
    const auto last_seen = static_cast<std::uint64_t>(std::max<std::int64_t>(0, counters->last_seen_ms()));
    batch.remove(Table::issues_by_last_seen, Key().u64(project).descending(last_seen).u64(id));
  }
  batch.remove(Table::issues, key);
  batch.remove(Table::issue_counters, key);
  batch.remove(Table::short_ids, Key().u64(project).u64(issue->short_number()));
  for (const auto& entry : keys_under(batch, Table::hashes_by_issue, key, rows_per_batch)) {
    const auto hash = Key().u64(project).raw(std::string_view(entry).substr(8));
    const auto owner = batch.get(Table::issue_hashes, hash);
    if (owner && KeyReader(*owner).u64() == id) batch.remove(Table::issue_hashes, hash);
  }
  batch.put(Table::meta, Key().raw(note_prefix).u64(id), Key().u64(project));
}

void remove_event(Batch& batch, std::uint64_t project, std::string_view issue_event_key) {
  KeyReader key(issue_event_key);
  key.u64();  // the issue
  key.u64();  // its timestamp
  const auto sequence = key.u64();
  const auto item = key.u16();
  const auto place = Key().u64(sequence).u16(item);
  if (const auto row = buffer::find_row<schema::EventRow>(batch, Table::events, place)) {
    batch.remove(Table::event_ids, Key().u64(project).raw(row->event_id()));
    const auto received = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row->received_ms()));
    batch.remove(Table::events_by_project, Key().u64(project).u64(received).u64(sequence).u16(item));
  }
  batch.remove(Table::events, place);
}

// Removes at most `most` rows of one hidden issue. Returns how many; fewer than `most`: all are gone.
std::size_t remove_rows(Batch& batch, std::uint64_t issue, std::uint64_t project, std::size_t most) {
  const auto prefix = Key().u64(issue);
  std::size_t removed = 0;
  for (const auto table : {Table::events_by_issue, Table::issue_tags, Table::issue_users, Table::issue_marks, Table::activities, Table::hashes_by_issue}) {
    for (const auto& entry : keys_under(batch, table, prefix, most - removed)) {
      if (table == Table::events_by_issue) remove_event(batch, project, entry);
      if (table == Table::issue_tags) {
        digest::remove_posting(batch, project, std::string_view(entry).substr(8), issue);
      }
      batch.remove(table, entry);
      ++removed;
    }
    if (removed >= most) break;
  }
  return removed;
}

}  // namespace

Result<void> hide_issues(buffer::Tables& tables, std::span<const std::uint64_t> issues) {
  return tables.write([&](Batch& batch) {
    for (const auto id : issues) hide(batch, id);
  });
}

Result<bool> continue_deletions(buffer::Tables& tables, std::size_t most_rows) {
  std::size_t removed = 0;
  for (;;) {
    if (keys_under(tables.snapshot(), Table::meta, note_prefix, 1).empty()) return true;
    if (removed >= most_rows) return false;
    const auto written = tables.write([&](Batch& batch) {
      std::size_t in_batch = 0;
      while (in_batch < rows_per_batch) {
        const auto notes = keys_under(batch, Table::meta, note_prefix, 1);
        if (notes.empty()) return;
        const auto issue = KeyReader(std::string_view(notes.front()).substr(note_prefix.size())).u64();
        const auto project = KeyReader(batch.get(Table::meta, notes.front()).value_or("")).u64();
        const auto most = rows_per_batch - in_batch;
        const auto gone = remove_rows(batch, issue, project, most);
        in_batch += gone + 1;
        if (gone < most) batch.remove(Table::meta, notes.front());
      }
      removed += in_batch;
    });
    if (!written) return written.error();
    if (removed == 0) return true;
  }
}

}  // namespace picket::query

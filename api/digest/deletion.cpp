#include "api/digest/deletion.h"

#include "buffer/event_ids.h"
#include "api/digest/issue_archive.h"
#include "api/digest/issue_release.h"
#include "api/digest/postings.h"
#include "api/digest/user_report.h"
#include "api/digest/waiting_tags.h"
#include "api/facts/store.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Batch;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

constexpr std::string_view note_prefix = "deleting/";
constexpr std::string_view project_note_prefix = "deleting_project/";
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
  auto issue = buffer::find_row<schema::Issue>(batch, Table::issues, key);
  if (!issue) return;
  const auto project = issue->project();
  forget_archive(batch, *issue);
  forget_release(batch, *issue);
  if (issue->change() != 0) batch.remove(Table::issue_changes, Key().u64(issue->change()));
  if (!issue->share_id().empty()) batch.remove(Table::shares, Key().text(issue->share_id()));
  // What it was merged of goes with it, and what of that is still on its way.
  for (const auto part : issue->merged_from()) {
    const auto row = buffer::find_row<schema::Issue>(batch, Table::issues, Key().u64(part));
    if (!row) continue;
    if (row->change() != 0) batch.remove(Table::issue_changes, Key().u64(row->change()));
    batch.remove(Table::issues, Key().u64(part));
    batch.remove(Table::short_ids, Key().u64(project).u64(row->short_number()));
    batch.put(Table::meta, Key().raw(note_prefix).u64(part), Key().u64(project));
  }
  if (const auto counters = buffer::find_row<schema::IssueCounters>(batch, Table::issue_counters, key)) {
    const auto last_seen = static_cast<std::uint64_t>(std::max<std::int64_t>(0, counters->last_seen_ms()));
    batch.remove(Table::issues_by_last_seen, Key().u64(project).descending(last_seen).u64(id));
  }
  batch.remove(Table::issues, key);
  batch.remove(Table::issue_counters, key);
  batch.remove(Table::issue_texts, key);
  batch.remove(Table::short_ids, Key().u64(project).u64(issue->short_number()));
  for (const auto& entry : keys_under(batch, Table::hashes_by_issue, key, rows_per_batch)) {
    const auto hash = Key().u64(project).raw(std::string_view(entry).substr(8));
    const auto owner = batch.get(Table::issue_hashes, hash);
    if (owner && KeyReader(*owner).u64() == id) batch.remove(Table::issue_hashes, hash);
  }
  batch.put(Table::meta, Key().raw(note_prefix).u64(id), Key().u64(project));
}

// Attachments of an event, and what its user said about it: at most `most` rows. Fewer: all are gone.
std::size_t remove_belongings(Batch& batch, std::uint64_t project, std::string_view event_id, std::size_t most) {
  constexpr std::size_t place_bytes = 10;  // sequence and item at the end of a key
  const auto attachments = keys_under(batch, Table::attachments, Key().u64(project).raw(event_id), most);
  for (const auto& attachment : attachments) {
    const auto place = std::string_view(attachment).substr(attachment.size() - place_bytes);
    batch.remove(Table::raw_items, Key().u64(project).text("attachment").raw(place));
    batch.remove(Table::attachments, attachment);
  }
  if (attachments.size() < most) remove_user_report(batch, project, event_id);
  return attachments.size();
}

// Returns the rows of its belongings that it took; `most` of them: the event is still there.
std::size_t remove_event(Batch& batch, std::uint64_t project, std::string_view issue_event_key, std::size_t most) {
  KeyReader key(issue_event_key);
  key.u64();  // the issue
  key.u64();  // its timestamp
  const auto sequence = key.u64();
  const auto item = key.u16();
  const auto place = Key().u64(sequence).u16(item);
  std::size_t removed = 0;
  if (const auto row = buffer::find_row<schema::EventRow>(batch, Table::events, place)) {
    removed = remove_belongings(batch, project, row->event_id(), most);
    if (removed == most) return removed;
    batch.remove(Table::event_ids, Key().u64(project).raw(row->event_id()));
    const auto received = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row->received_ms()));
    batch.remove(Table::events_by_project, Key().u64(project).u64(received).u64(sequence).u16(item));
  }
  batch.remove(Table::events, place);
  return removed;
}

// Removes at most `most` rows of one hidden issue. Returns how many; fewer than `most`: all are gone.
std::size_t remove_rows(Batch& batch, std::uint64_t issue, std::uint64_t project, std::size_t most) {
  const auto prefix = Key().u64(issue);
  std::size_t removed = 0;
  for (const auto table : {Table::events_by_issue, Table::issue_tags, Table::issue_users, Table::issue_marks, Table::activities, Table::hashes_by_issue,
                           Table::user_reports_by_issue}) {
    for (const auto& entry : keys_under(batch, table, prefix, most - removed)) {
      if (removed >= most) break;
      if (table == Table::events_by_issue) {
        const auto left = most - removed;
        const auto belongings = remove_event(batch, project, entry, left);
        removed += belongings;
        if (belongings == left) break;
      }
      if (table == Table::user_reports_by_issue) {
        remove_user_report(batch, project, KeyReader(std::string_view(entry).substr(8)).descending());
      }
      if (table == Table::issue_tags) {
        remove_posting(batch, project, std::string_view(entry).substr(8), issue);
      }
      batch.remove(table, entry);
      ++removed;
    }
    if (removed >= most) break;
  }
  return removed;
}

// What else begins with the project, once its issues are gone.
constexpr Table project_tables[] = {Table::issue_hashes, Table::issues_by_last_seen, Table::short_ids,
                                    Table::events_by_project, Table::issues_by_tag, Table::project_tags,
                                    Table::environments, Table::raw_items, Table::sessions,
                                    Table::session_counts, Table::session_users, Table::check_ins_by_id,
                                    Table::user_reports, Table::user_reports_by_event, Table::attachments,
                                    Table::tombstones, Table::ownership, Table::awaited_releases, Table::replays, Table::replay_segments, Table::profiles, Table::profile_chunks};

// Hides up to `most` issues of a project. Returns how many; fewer than `most`: none is left.
std::size_t hide_some(Batch& batch, std::uint64_t project, std::size_t most) {
  const auto prefix = Key().u64(project);
  const auto entries = keys_under(batch, Table::issues_by_last_seen, prefix, most);
  for (const auto& entry : entries) {
    KeyReader key(entry);
    key.u64();  // the project
    key.u64();  // when it was last seen
    hide(batch, key.u64());
    batch.remove(Table::issues_by_last_seen, entry);
  }
  return entries.size();
}

// Removes at most `most` rows of a project without issues. Fewer than `most`: all are gone.
std::size_t remove_project_rows(Batch& batch, std::uint64_t project, std::size_t most) {
  const auto prefix = Key().u64(project);
  auto removed = buffer::remove_events_of_project(batch, project, most);
  for (const auto& entry : keys_under(batch, Table::event_ids, prefix, most - removed)) {
    const std::string place(batch.get(Table::event_ids, entry).value_or(""));
    batch.remove(Table::events, place);
    batch.remove(Table::event_ids, entry);
    ++removed;
  }
  for (const auto table : project_tables) {
    for (const auto& entry : keys_under(batch, table, prefix, most - removed)) {
      batch.remove(table, entry);
      ++removed;
    }
  }
  for (const auto dataset : facts::all_datasets) {
    for (const auto& entry :
         keys_under(batch, Table::facts, facts::facts_prefix(dataset, project), most - removed)) {
      batch.remove(Table::facts, entry);
      ++removed;
    }
  }
  return removed;
}

// One issue, or a part of it. Returns the rows it took; 0 when no issue is noted.
std::size_t continue_issue(Batch& batch, std::size_t most) {
  const auto notes = keys_under(batch, Table::meta, note_prefix, 1);
  if (notes.empty()) return 0;
  const auto issue = KeyReader(std::string_view(notes.front()).substr(note_prefix.size())).u64();
  const auto project = KeyReader(batch.get(Table::meta, notes.front()).value_or("")).u64();
  fold_tags_of(batch, issue);
  const auto gone = remove_rows(batch, issue, project, most);
  if (gone < most) batch.remove(Table::meta, notes.front());
  return gone + 1;
}

// The same for projects, whose issues go first: hidden here, removed as all hidden issues are.
std::size_t continue_project(Batch& batch, std::size_t most) {
  constexpr std::size_t rows_per_hidden_issue = 8;
  const auto notes = keys_under(batch, Table::meta, project_note_prefix, 1);
  if (notes.empty()) return 0;
  const auto project = KeyReader(std::string_view(notes.front()).substr(project_note_prefix.size())).u64();
  const auto issues = hide_some(batch, project, most / rows_per_hidden_issue + 1);
  if (issues > 0) return issues * rows_per_hidden_issue;
  const auto gone = remove_project_rows(batch, project, most);
  if (gone < most) batch.remove(Table::meta, notes.front());
  return gone + 1;
}

bool anything_noted(const buffer::Reader& reader) {
  return !keys_under(reader, Table::meta, note_prefix, 1).empty() ||
         !keys_under(reader, Table::meta, project_note_prefix, 1).empty();
}

}  // namespace

void note_deleted_project(Batch& batch, std::uint64_t project) {
  batch.put(Table::meta, Key().raw(project_note_prefix).u64(project), {});
}

void hide_issue(Batch& batch, std::uint64_t issue) {
  hide(batch, issue);
}

Result<void> hide_issues(buffer::Tables& tables, std::span<const std::uint64_t> issues) {
  return tables.write([&](Batch& batch) {
    for (const auto id : issues) hide(batch, id);
  });
}

Result<bool> continue_deletions(buffer::Tables& tables, std::size_t most_rows) {
  std::size_t removed = 0;
  for (;;) {
    if (!anything_noted(tables.snapshot())) return true;
    if (removed >= most_rows) return false;
    const auto written = tables.write([&](Batch& batch) {
      std::size_t in_batch = 0;
      while (in_batch < rows_per_batch) {
        auto rows = continue_issue(batch, rows_per_batch - in_batch);
        if (rows == 0) rows = continue_project(batch, rows_per_batch - in_batch);
        if (rows == 0) break;
        in_batch += rows;
      }
      removed += in_batch;
    });
    if (!written) return written.error();
    if (removed == 0) return true;
  }
}

}  // namespace picket::digest

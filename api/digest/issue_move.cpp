#include "api/digest/issue_move.h"

#include "api/digest/deletion.h"
#include "api/digest/issue_archive.h"
#include "api/digest/issue_release.h"
#include "api/digest/issue_state.h"
#include "api/digest/issue_texts.h"
#include "api/digest/postings.h"
#include "api/digest/waiting_tags.h"
#include "buffer/keys.h"
#include "buffer/rows.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace picket::digest {
namespace {

using buffer::Batch;
using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::put_row;
using buffer::Table;

constexpr std::size_t rows_per_batch = 4'000;

Key move_key(std::uint64_t source, std::uint64_t target) {
  return std::move(Key().raw(move_prefix).u64(source).u64(target));
}

struct Entry {
  std::string rest;  // of the key
  std::string value;
};
std::vector<Entry> entries_of(const buffer::Reader& reader, Table table, std::uint64_t issue, std::size_t most) {
  std::vector<Entry> entries;
  const auto prefix = Key().u64(issue);
  auto cursor = reader.cursor(table);
  for (bool more = cursor.seek(prefix); more && entries.size() < most && cursor.key().starts_with(prefix.view()); more = cursor.next())
    entries.push_back({std::string(cursor.key().substr(prefix.size())), std::string(cursor.value())});
  return entries;
}

// ---- deciding ------------------------------------------------------------------------------------

void lead_hashes(Batch& batch, std::uint64_t project, std::uint64_t from, std::uint64_t to) {
  for (const auto& [hash, event] : entries_of(batch, Table::hashes_by_issue, from, ~std::size_t{0})) {
    batch.remove(Table::hashes_by_issue, Key().u64(from).raw(hash));
    const auto owner = batch.get(Table::issue_hashes, Key().u64(project).raw(hash));
    if (!owner || KeyReader(*owner).u64() != from) continue;
    batch.put(Table::issue_hashes, Key().u64(project).raw(hash), Key().u64(to));
    batch.put(Table::hashes_by_issue, Key().u64(to).raw(hash), event);
  }
}

void join_marks(Batch& batch, std::uint64_t from, std::uint64_t to) {
  for (const auto& [user, bytes] : entries_of(batch, Table::issue_marks, from, ~std::size_t{0})) {
    const auto theirs = buffer::parse_row<schema::IssueMark>(bytes);
    const auto key = Key().u64(to).raw(user);
    auto mark = find_row<schema::IssueMark>(batch, Table::issue_marks, key).value_or(schema::IssueMark());
    mark.set_bookmarked(mark.bookmarked() || theirs.bookmarked());
    mark.set_subscribed(mark.subscribed() || theirs.subscribed());
    put_row(batch, Table::issue_marks, key, mark);
    batch.remove(Table::issue_marks, Key().u64(from).raw(user));
  }
}

void join_counters(schema::IssueCounters& target, const schema::IssueCounters& source) {
  target.set_times_seen(target.times_seen() + source.times_seen());
  // Users of both are taken off again when their tags meet.
  target.set_users_seen(target.users_seen() + source.users_seen());
  if (target.first_sequence() == 0 || (source.first_sequence() != 0 && source.first_sequence() < target.first_sequence()))
    target.set_first_sequence(source.first_sequence());
  target.set_last_sequence(std::max(target.last_sequence(), source.last_sequence()));
  add_counts(target, source);
  target.clear_limit_hour();  // it has another past now
  if (source.last_seen_ms() <= target.last_seen_ms()) return;
  target.set_last_seen_ms(source.last_seen_ms());
  target.set_last_event_id(source.last_event_id());
  if (!source.last_release().empty()) target.set_last_release(source.last_release());
}

void join_rows(schema::Issue& target, const schema::Issue& source) {
  target.set_num_comments(target.num_comments() + source.num_comments());
  if (source.first_seen_ms() < target.first_seen_ms()) {
    target.set_first_seen_ms(source.first_seen_ms());
    target.set_first_event_id(source.first_event_id());
    target.set_first_release(source.first_release());
  }
}

void join_stored_texts(Batch& batch, schema::Issue& target, std::uint64_t source) {
  const auto theirs = find_row<schema::IssueTexts>(batch, Table::issue_texts, Key().u64(source));
  if (!theirs) return;
  auto texts = find_row<schema::IssueTexts>(batch, Table::issue_texts, Key().u64(target.id())).value_or(schema::IssueTexts());
  batch.remove(Table::issue_texts, Key().u64(source));
  if (!join_texts(texts, *theirs)) return;
  target.set_text_signature(signature_of(texts));
  put_row(batch, Table::issue_texts, Key().u64(target.id()), texts);
}

void merge_one(Batch& batch, std::uint64_t target_id, std::uint64_t source_id) {
  auto target = find_row<schema::Issue>(batch, Table::issues, Key().u64(target_id));
  auto source = find_row<schema::Issue>(batch, Table::issues, Key().u64(source_id));
  if (!target || !source || target_id == source_id) return;
  if (target->merged_into() != 0 || source->merged_into() != 0) return;
  lead_hashes(batch, source->project(), source_id, target_id);
  join_marks(batch, source_id, target_id);
  join_rows(*target, *source);
  join_stored_texts(batch, *target, source_id);
  const auto old = find_row<schema::IssueCounters>(batch, Table::issue_counters, Key().u64(source_id)).value_or(schema::IssueCounters());
  auto counters = find_row<schema::IssueCounters>(batch, Table::issue_counters, Key().u64(target_id)).value_or(schema::IssueCounters());
  const auto before_ms = counters.last_seen_ms();
  join_counters(counters, old);
  move_last_seen(batch, *source, old.last_seen_ms(), -1);
  move_last_seen(batch, *target, before_ms, counters.last_seen_ms());
  batch.remove(Table::issue_counters, Key().u64(source_id));
  put_row(batch, Table::issue_counters, Key().u64(target_id), counters);

  for (const auto earlier : source->merged_from()) {
    auto row = find_row<schema::Issue>(batch, Table::issues, Key().u64(earlier));
    if (!row) continue;
    row->set_merged_into(target_id);
    put_row(batch, Table::issues, Key().u64(earlier), *row);
    target->add_merged_from(earlier);
  }
  target->add_merged_from(source_id);
  forget_archive(batch, *source);
  forget_release(batch, *source);
  source->clear_merged_from();
  source->set_merged_into(target_id);
  put_row(batch, Table::issues, Key().u64(source_id), *source);
  put_row(batch, Table::issues, Key().u64(target_id), *target);

  schema::IssueMove move;
  move.set_source(source_id);
  move.set_target(target_id);
  move.set_merged(true);
  put_row(batch, Table::meta, move_key(source_id, target_id), move);
}

// ---- following -----------------------------------------------------------------------------------

// What a merged issue has become part of; 0 when that is gone.
std::uint64_t root_of(const buffer::Reader& reader, std::uint64_t issue) {
  for (int steps = 0; steps < 10; ++steps) {
    const auto row = find_row<schema::Issue>(reader, Table::issues, Key().u64(issue));
    if (!row) return 0;
    if (row->merged_into() == 0) return issue;
    issue = row->merged_into();
  }
  return 0;
}

std::size_t follow_events(Batch& batch, std::uint64_t source, std::uint64_t target, std::size_t most) {
  const auto entries = entries_of(batch, Table::events_by_issue, source, most);
  for (const auto& [rest, event_id] : entries) {
    batch.remove(Table::events_by_issue, Key().u64(source).raw(rest));
    batch.put(Table::events_by_issue, Key().u64(target).raw(rest), event_id);
    const auto place = std::string_view(rest).substr(8);
    auto row = find_row<schema::EventRow>(batch, Table::events, place);
    if (!row) continue;
    row->set_issue(target);
    put_row(batch, Table::events, place, *row);
  }
  return entries.size();
}

// Returns how many tags moved; counts the users that both had.
std::size_t follow_tags(Batch& batch, const schema::Issue& target, std::uint64_t source, std::size_t most, std::uint64_t& shared_users) {
  const auto entries = entries_of(batch, Table::issue_tags, source, most);
  for (const auto& [suffix, bytes] : entries) {
    const auto key = Key().u64(target.id()).raw(suffix);
    auto count = buffer::parse_row<schema::TagCount>(bytes);
    if (const auto own = find_row<schema::TagCount>(batch, Table::issue_tags, key)) {
      count.set_count(count.count() + own->count());
      count.set_first_seen_ms(std::min(count.first_seen_ms(), own->first_seen_ms()));
      count.set_last_seen_ms(std::max(count.last_seen_ms(), own->last_seen_ms()));
      if (KeyReader(suffix).text() == "user") ++shared_users;
    }
    put_row(batch, Table::issue_tags, key, count);
    batch.remove(Table::issue_tags, Key().u64(source).raw(suffix));
    remove_posting(batch, target.project(), suffix, source);
    put_posting(batch, target.project(), suffix, target.id());
  }
  return entries.size();
}

std::size_t follow_notes(Batch& batch, std::uint64_t source, std::uint64_t target, std::size_t most) {
  const auto activities = entries_of(batch, Table::activities, source, most);
  for (const auto& [rest, bytes] : activities) {
    batch.remove(Table::activities, Key().u64(source).raw(rest));
    batch.put(Table::activities, Key().u64(target).raw(rest), bytes);
  }
  const auto reports = entries_of(batch, Table::user_reports_by_issue, source, most - activities.size());
  for (const auto& [rest, project] : reports) {
    batch.remove(Table::user_reports_by_issue, Key().u64(source).raw(rest));
    batch.put(Table::user_reports_by_issue, Key().u64(target).raw(rest), project);
    const auto key = Key().raw(project).raw(rest);
    auto row = find_row<schema::UserReport>(batch, Table::user_reports, key);
    if (!row) continue;
    row->set_issue(target);
    put_row(batch, Table::user_reports, key, *row);
  }
  return activities.size() + reports.size();
}

// One batch of a merge; how many rows it moved. Fewer than `most`: the note is gone as well.
std::size_t continue_merge(Batch& batch, std::string_view note, std::size_t most) {
  const auto move = find_row<schema::IssueMove>(batch, Table::meta, note).value_or(schema::IssueMove());
  const auto source = move.source();
  const auto target_id = root_of(batch, source);
  const auto target = find_row<schema::Issue>(batch, Table::issues, Key().u64(target_id));
  if (target_id == 0 || target_id == source || !target) {
    // Deleted meanwhile: what has not moved goes as the rest did.
    batch.remove(Table::meta, note);
    return 1;
  }
  fold_tags_of(batch, source);
  fold_tags_of(batch, target_id);
  auto moved = follow_events(batch, source, target_id, most);
  std::uint64_t shared_users = 0;
  if (moved < most) moved += follow_tags(batch, *target, source, most - moved, shared_users);
  if (moved < most) moved += follow_notes(batch, source, target_id, most - moved);
  auto counters = find_row<schema::IssueCounters>(batch, Table::issue_counters, Key().u64(target_id));
  if (counters && shared_users > 0) {
    counters->set_users_seen(counters->users_seen() - std::min(counters->users_seen(), shared_users));
    put_row(batch, Table::issue_counters, Key().u64(target_id), *counters);
  }
  if (moved < most) batch.remove(Table::meta, note);
  return moved + 1;
}

struct Noted {
  std::string key;
  schema::IssueMove move;
};
std::optional<Noted> first_move(const buffer::Reader& reader) {
  auto cursor = reader.cursor(Table::meta);
  if (!cursor.seek(move_prefix) || !cursor.key().starts_with(move_prefix)) return std::nullopt;
  return Noted{std::string(cursor.key()), buffer::parse_row<schema::IssueMove>(cursor.value())};
}

}  // namespace

void merge_issues(Batch& batch, std::uint64_t target, std::span<const std::uint64_t> sources) {
  for (const auto source : sources)
    merge_one(batch, target, source);
}

bool is_moving(const buffer::Reader& reader, std::uint64_t issue) {
  auto cursor = reader.cursor(Table::meta);
  for (bool more = cursor.seek(move_prefix); more && cursor.key().starts_with(move_prefix); more = cursor.next()) {
    const auto move = buffer::parse_row<schema::IssueMove>(cursor.value());
    if (move.source() == issue || move.target() == issue) return true;
  }
  return false;
}

Result<bool> continue_moves(buffer::Tables& tables, const buffer::Journal& journal, std::size_t most_rows) {
  std::size_t moved = 0;
  for (;;) {
    const auto noted = first_move(tables.snapshot());
    if (!noted) return true;
    if (moved >= most_rows) return false;
    const auto most = std::min(rows_per_batch, most_rows - moved);
    if (!noted->move.merged()) {
      const auto looked = continue_split(tables, journal, noted->move, most);
      if (!looked) return looked.error();
      moved += *looked + 1;
      continue;
    }
    const auto written = tables.write([&](Batch& batch) { moved += continue_merge(batch, noted->key, most); });
    if (!written) return written.error();
  }
}

std::uint64_t discard_issue(Batch& batch, const schema::Issue& issue, std::uint64_t user, Time now) {
  schema::Tombstone stone;
  stone.set_id(batch.next_number("tombstone"));
  stone.set_project(issue.project());
  stone.set_title(issue.title());
  stone.set_culprit(issue.culprit());
  stone.set_type(issue.type());
  stone.set_metadata_json(issue.metadata_json());
  stone.set_level(issue.level());
  stone.set_created_ms(to_ms(now));
  stone.set_user(user);
  for (const auto& [hash, event] : entries_of(batch, Table::hashes_by_issue, issue.id(), ~std::size_t{0})) {
    const auto owner = batch.get(Table::issue_hashes, Key().u64(issue.project()).raw(hash));
    if (owner && KeyReader(*owner).u64() == issue.id()) stone.add_hashes(hash);
  }
  hide_issue(batch, issue.id());
  for (const auto& hash : stone.hashes())
    batch.put(Table::issue_hashes, Key().u64(issue.project()).raw(hash), Key().u64(0).u64(stone.id()));
  put_row(batch, Table::tombstones, Key().u64(stone.project()).u64(stone.id()), stone);
  return stone.id();
}

bool remove_tombstone(Batch& batch, std::uint64_t project, std::uint64_t id) {
  const auto key = Key().u64(project).u64(id);
  const auto stone = find_row<schema::Tombstone>(batch, Table::tombstones, key);
  if (!stone) return false;
  for (const auto& hash : stone->hashes()) {
    const auto hash_key = Key().u64(project).raw(hash);
    const auto owner = batch.get(Table::issue_hashes, hash_key);
    if (owner && *owner == Key().u64(0).u64(id).view()) batch.remove(Table::issue_hashes, hash_key);
  }
  batch.remove(Table::tombstones, key);
  return true;
}

void put_posting(Batch& batch, std::uint64_t project, std::string_view tag, std::uint64_t issue) {
  const auto key = posting_key(project, tag, issue);
  std::string row(batch.get(Table::issues_by_tag, key).value_or(std::string_view()));
  if (add_posting(row, issue)) batch.put(Table::issues_by_tag, key, row);
}

void move_last_seen(Batch& batch, const schema::Issue& issue, std::int64_t before_ms, std::int64_t now_ms) {
  if (before_ms == now_ms) return;
  const auto key_of = [&](std::int64_t ms) {
    const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, ms));
    return std::move(Key().u64(issue.project()).descending(at).u64(issue.id()));
  };
  if (before_ms >= 0) batch.remove(Table::issues_by_last_seen, key_of(before_ms));
  if (now_ms >= 0) batch.put(Table::issues_by_last_seen, key_of(now_ms), "");
}

}  // namespace picket::digest

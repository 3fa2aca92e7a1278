#include "buffer/tables.h"

#include "buffer/keys.h"
#include "buffer/logger.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace picket::buffer {
namespace {

constexpr std::array<std::string_view, table_count> names = {
    "meta",           "cursors",         "organizations",  "slugs",
    "projects",       "project_keys",    "keys_by_project", "teams",
    "team_projects",  "team_members",    "users",          "members",
    "tokens",         "issues",          "issue_counters", "issue_hashes",
    "hashes_by_issue", "issues_by_last_seen", "short_ids", "events",
    "event_ids",      "events_by_issue", "events_by_project", "issue_tags",
    "issues_by_tag",  "project_tags",    "issue_users",    "issue_marks",
    "activities",     "releases",        "release_projects", "environments",
    "outcomes",       "destinations",    "forwarding",     "quarantine",
    "raw_items",
    "ledger",
    "sessions", "sessions_by_age", "session_counts",
    "session_users", "monitors", "monitors_by_slug",
    "monitor_environments", "monitor_due", "check_ins",
    "check_ins_by_id", "user_reports", "user_reports_by_event",
    "user_reports_by_issue", "attachments",
    "facts",           "placed",         "replays",
    "replay_segments", "profiles",       "profile_chunks",
    "issue_snoozes",   "issue_due",      "tombstones",
    "ownership",       "shares",
    "saved_queries",
    "issue_changes",   "issue_wishes",   "issue_links",
    "issue_links_due", "status_syncs",
    "awaited_releases", "issue_texts",
};

}  // namespace

std::string_view table_name(Table table) {
  return names[static_cast<std::size_t>(table)];
}

std::optional<std::string_view> Reader::get(Table table, std::string_view key) const {
  return txn_->get((*handles_)[static_cast<std::size_t>(table)], key);
}

Cursor Reader::cursor(Table table) const {
  return txn_->cursor((*handles_)[static_cast<std::size_t>(table)]);
}

std::uint64_t Reader::entries(Table table) const {
  return txn_->entries((*handles_)[static_cast<std::size_t>(table)]);
}

void Batch::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
}

void Batch::note(Table table, std::string_view key) {
  if (table != Table::issues && table != Table::issue_counters) return;
  touched_.emplace_back(key);
}

void Batch::put(Table table, std::string_view key, std::string_view value) {
  if (failure_) return;
  note(table, key);
  const auto handle = (*handles_)[static_cast<std::size_t>(table)];
  const bool ascending = table == Table::events || table == Table::events_by_project;
  if (ascending) {
    const auto appended = writer_->append(handle, key, value);
    if (!appended) return fail(appended.error());
    if (*appended) return;
  }
  if (const auto put = writer_->put(handle, key, value); !put) fail(put.error());
}

void Batch::remove(Table table, std::string_view key) {
  if (failure_) return;
  note(table, key);
  const auto removed = writer_->remove((*handles_)[static_cast<std::size_t>(table)], key);
  if (!removed) fail(removed.error());
}

TableEditor Batch::edit(Table table) {
  return {*this, table, writer_->editor((*handles_)[static_cast<std::size_t>(table)])};
}

void TableEditor::put(std::string_view key, std::string_view value) {
  if (batch_->failure_) return;
  batch_->note(table_, key);
  if (const auto put = editor_.put(key, value); !put) batch_->fail(put.error());
}

std::uint64_t Batch::next_number(std::string_view sequence) {
  const auto key = Key().raw("next/").raw(sequence);
  const auto stored = get(Table::meta, key);
  const std::uint64_t next = stored ? KeyReader(*stored).u64() + 1 : 1;
  put(Table::meta, key, Key().u64(next));
  return next;
}

Result<std::unique_ptr<Tables>> Tables::open(const TablesOptions& options) {
  auto env = Env::open({.path = options.path,
                        .map_bytes = options.map_bytes,
                        .tables = table_count,
                        .read_only = options.read_only,
                        .random_access = true});
  if (!env) return env.error();
  const auto opened = env->open_tables(names);
  if (!opened) return opened.error();
  std::array<TableHandle, table_count> handles{};
  std::copy(opened->begin(), opened->end(), handles.begin());
  env->check_readers();
  return std::unique_ptr<Tables>(new Tables(*std::move(env), handles));
}

Snapshot Tables::snapshot() const {
  auto txn = ReadTxn::begin(env_);
  if (!txn) {
    log(Level::error, "buffer", "no snapshot to be had", {{"reason", txn.error().detail}});
    std::abort();
  }
  return Snapshot(std::make_unique<ReadTxn>(*std::move(txn)), handles_);
}

Result<void> Tables::write(const std::function<void(Batch&)>& change) {
  auto txn = WriteTxn::begin(env_);
  if (!txn) return txn.error();
  Batch batch(*txn, handles_);
  change(batch);
  if (batch.failure_) return *batch.failure_;
  const auto number = txn->number();
  issue_changes_->record(number, std::move(batch.touched_));
  auto committed = (*std::move(txn)).commit();
  if (!committed) issue_changes_->take_back(number);
  return committed;
}

}  // namespace picket::buffer

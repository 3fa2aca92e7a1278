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
    "issue_links_due", "status_syncs",   "event_id_runs",
};

// Rows that ascend get blocks that fill an LMDB page of their own: a page's 4,096 bytes but for its
// header. Others are changed at random places, and a row costs what is before it in its block: several
// blocks share a page. An issue's tags are changed together.
constexpr PackedRule in_order{.most_bytes = 4080, .ascending = true};
constexpr PackedRule together{.most_bytes = 1000, .ascending = false};
constexpr PackedRule anywhere{.most_bytes = 500, .ascending = false};

constexpr PackedRule rule_of(Table table) {
  switch (table) {
    case Table::events:
    case Table::events_by_project: return in_order;
    case Table::issue_tags: return together;
    case Table::events_by_issue:
    case Table::issues_by_tag:
    case Table::project_tags: return anywhere;
    default: return {};
  }
}

}  // namespace

bool is_packed(Table table) {
  return rule_of(table).most_bytes != 0;
}

std::string_view table_name(Table table) {
  return names[static_cast<std::size_t>(table)];
}

PackedEditor* Reader::packed_editor(Table table) const {
  if (changing_ == nullptr) return nullptr;
  auto& editor = editors_[table];
  if (!editor) editor = std::make_unique<PackedEditor>(*changing_, handle(table), rule_of(table));
  return editor.get();
}

std::optional<std::string_view> Reader::get(Table table, std::string_view key) const {
  if (!is_packed(table)) return txn_->get(handle(table), key);
  auto& kept = kept_[table];
  auto* const editor = packed_editor(table);
  if (editor == nullptr) return find_packed(*txn_, handle(table), key, kept);
  const auto found = editor->find(key);
  if (!found) return std::nullopt;
  kept.assign(*found);
  return std::string_view(kept);
}

RowCursor Reader::cursor(Table table) const {
  auto cursor = txn_->cursor(handle(table));
  if (!is_packed(table)) return RowCursor(std::move(cursor));
  return RowCursor(PackedCursor(std::move(cursor), packed_editor(table)));
}

std::uint64_t Reader::entries(Table table) const {
  if (!is_packed(table)) return txn_->entries(handle(table));
  if (auto* const editor = packed_editor(table)) {
    if (!editor->flush()) return 0;  // the batch fails with it
  }
  return count_packed(*txn_, handle(table));
}

void Batch::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
}

bool Batch::failed() const {
  const auto has_failed = [](const auto& of) { return of.second->failed(); };
  return failure_ || std::ranges::any_of(editors_, has_failed);
}

void Batch::note(Table table, std::string_view key) {
  if (table != Table::issues && table != Table::issue_counters) return;
  touched_.emplace_back(key);
}

void Batch::put(Table table, std::string_view key, std::string_view value) {
  if (failure_) return;
  note(table, key);
  const auto put = is_packed(table) ? packed_editor(table)->put(key, value) : writer_->put(handle(table), key, value);
  if (!put) fail(put.error());
}

void Batch::remove(Table table, std::string_view key) {
  if (failure_) return;
  note(table, key);
  if (is_packed(table)) {
    if (const auto removed = packed_editor(table)->remove(key); !removed) fail(removed.error());
    return;
  }
  const auto removed = writer_->remove(handle(table), key);
  if (!removed) fail(removed.error());
}

TableEditor Batch::edit(Table table) {
  TableEditor editor(*this, table);
  if (is_packed(table)) {
    editor.packed_ = packed_editor(table);
  } else {
    editor.editor_ = writer_->editor(handle(table));
  }
  return editor;
}

void Batch::settle() {
  for (const auto& [table, editor] : editors_) {
    if (const auto written = editor->flush(); !written) fail(written.error());
  }
  editors_.clear();  // they have cursors, which end before the transaction
}

void TableEditor::put(std::string_view key, std::string_view value) {
  if (batch_->failure_) return;
  batch_->note(table_, key);
  const auto put = packed_ != nullptr ? packed_->put(key, value) : editor_->put(key, value);
  if (!put) batch_->fail(put.error());
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
  batch.settle();
  if (batch.failure_) return *batch.failure_;
  const auto number = txn->number();
  issue_changes_->record(number, std::move(batch.touched_));
  auto committed = (*std::move(txn)).commit();
  if (!committed) issue_changes_->take_back(number);
  return committed;
}

}  // namespace picket::buffer

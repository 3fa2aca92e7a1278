#include "buffer/tables.h"

#include "buffer/descriptor.h"
#include "buffer/keys.h"
#include "buffer/logger.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

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
    "issue_links_due", "status_syncs",   "marks",           "event_id_runs",
    "awaited_releases", "issue_texts", "tag_runs",
};

// LMDB makes a file in several steps, and takes one that a power cut left between them for none of its
// own: so it is made under another name first.
Result<void> make_tables_file(const std::filesystem::path& path) {
  std::error_code ignored;
  auto made = path;
  made += ".new";
  auto lock = made;
  lock += "-lock";
  std::filesystem::remove(made, ignored);
  {
    const auto env = Env::open({.path = made, .map_bytes = std::size_t{1} << 20});
    if (!env) return env.error();
  }
  std::filesystem::remove(lock, ignored);
  const auto file = Descriptor::open(made, O_RDWR);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced;
  return rename_durably(made, path);
}

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

RowFinder Reader::finder(Table table) const {
  auto* const editor = packed_editor(table);
  if (is_packed(table) && editor != nullptr) static_cast<void>(editor->flush());  // a failure is the batch's in the end
  auto cursor = txn_->cursor(handle(table));
  return is_packed(table) ? RowFinder(PackedFinder(std::move(cursor))) : RowFinder(std::move(cursor));
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

void Batch::keep_pages_in_order(PageOrder& order) {
  if (auto kept = order.turn(*writer_, handle(Table::meta)); !kept) fail(kept.error());
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
  auto opened = open_synced(options);
  if (!opened) return opened.error();
  std::unique_ptr<Tables> tables(new Tables(options, *std::move(opened)));
  if (!options.read_only) tables->keep_reserve(*tables->opened_);
  return tables;
}

Result<std::shared_ptr<OpenTables>> Tables::open_file(const TablesOptions& options) {
  std::error_code failed;
  if (!options.read_only && !std::filesystem::exists(options.path, failed)) {
    if (auto made = make_tables_file(options.path); !made) return made.error();
  }
  auto env = Env::open({.path = options.path,
                        .map_bytes = options.map_bytes,
                        .tables = table_count,
                        .read_only = options.read_only,
                        .random_access = true});
  if (!env) return env.error();
  const auto handles = env->open_tables(names);
  if (!handles) return handles.error();
  auto opened = std::make_shared<OpenTables>(OpenTables{*std::move(env), {}});
  std::copy(handles->begin(), handles->end(), opened->handles.begin());
  opened->env.check_readers();
  return opened;
}

// What is read from here on must not be gone after a power cut.
Result<std::shared_ptr<OpenTables>> Tables::open_synced(const TablesOptions& options) {
  auto opened = open_file(options);
  if (!opened || options.read_only) return opened;
  const auto file = Descriptor::open(options.path, O_RDWR);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced.error();
  return opened;
}

std::shared_ptr<OpenTables> Tables::opened() const {
  const std::lock_guard lock(opened_mutex_);
  return opened_;
}

// What the failed commit left in the file is read at once, before anybody else can have written.
void Tables::note_failed_commit(const OpenTables& opened, std::uint64_t number) {
  if (!opened.env.broken()) return;
  auto newest = read_newest_meta(options_.path);
  if (!newest || newest->transaction != number) return;
  const std::lock_guard lock(opened_mutex_);
  to_take_back_ = *std::move(newest);
}

// REQUIRES: opened_mutex_ is held, and nobody else uses what is open. While it is closed nobody can do anything; when it
// cannot be opened for seconds, the process ends as it does for a broken read.
void Tables::close_and_open(const std::function<Result<std::shared_ptr<OpenTables>>()>& open) const {
  constexpr int most_tries = 50;
  opened_.reset();
  Result<std::shared_ptr<OpenTables>> again = Error{Fault::unavailable, {}};
  for (int tries = 0; !again && tries < most_tries; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    again = open();
  }
  if (!again) {
    log(Level::error, "buffer", "the tables cannot be opened again", {{"reason", again.error().detail}});
    std::abort();
  }
  opened_ = *std::move(again);
}

bool Tables::give_back_memory() {
  const std::lock_guard lock(opened_mutex_);
  if (opened_.use_count() != 1 || opened_->env.broken()) return false;
  close_and_open([this] { return open_file(options_); });  // all that is committed is synced
  return true;
}

// False when others still use what is broken: a later call may succeed. They are waited for without the mutex, for
// they may want it to come to an end.
bool Tables::open_again(std::shared_ptr<OpenTables> broken) const {
  using std::chrono::milliseconds;
  constexpr int most_waits = 50;
  const std::weak_ptr<OpenTables> was = broken;
  broken.reset();
  std::unique_lock lock(opened_mutex_);
  for (int waits = 0;; ++waits) {
    if (opened_ != was.lock()) return true;
    if (opened_.use_count() == 1) break;
    if (waits == most_waits) return false;
    lock.unlock();
    std::this_thread::sleep_for(milliseconds(10));
    lock.lock();
  }
  close_and_open([this] {
    const auto taken = to_take_back_ ? take_back(options_.path, *to_take_back_) : Result<void>();
    return taken ? open_synced(options_) : Result<std::shared_ptr<OpenTables>>(taken.error());
  });
  to_take_back_.reset();
  log(Level::warning, "buffer", "the tables were opened again after a failed commit");
  return true;
}

Snapshot Tables::snapshot() const {
  // Longer than anybody reads, and than a disk fails in one burst.
  constexpr auto patience = std::chrono::seconds(60);
  const auto give_up = std::chrono::steady_clock::now() + patience;
  Error why{Fault::unavailable, {}};
  while (std::chrono::steady_clock::now() < give_up) {
    auto opened = this->opened();
    auto txn = ReadTxn::begin(opened->env);
    if (txn) return Snapshot(std::make_unique<ReadTxn>(*std::move(txn)), std::move(opened));
    why = txn.error();
    if (!opened->env.broken()) break;
    open_again(std::move(opened));
  }
  log(Level::error, "buffer", "no snapshot to be had", {{"reason", why.detail}});
  std::abort();
}

Result<void> Tables::write(const std::function<void(Batch&)>& change) {
  auto opened = this->opened();
  auto txn = WriteTxn::begin(opened->env);
  if (!txn && opened->env.broken() && open_again(std::move(opened))) {
    opened = this->opened();
    txn = WriteTxn::begin(opened->env);
  }
  if (!txn) return txn.error();
  Batch batch(*txn, opened->handles);
  if (page_order_.due(txn->number()) && may_grow()) batch.keep_pages_in_order(page_order_);
  change(batch);
  batch.settle();
  if (batch.failure_) return *batch.failure_;
  const auto number = txn->number();
  issue_changes_->record(number, std::move(batch.touched_));
  auto committed = (*std::move(txn)).commit();
  if (committed) {
    keep_reserve(*opened);
    page_order_.note_commit(opened->env, number);
  } else {
    issue_changes_->take_back(number);
    note_failed_commit(*opened, number);
  }
  return committed;
}

// Behind the last page that is in use. Where the file system cannot promise space there is none.
void Tables::keep_reserve(const OpenTables& opened) const {
  if (options_.reserve_bytes == 0) return;
  const auto use = opened.env.use();
  const auto end = use.used_pages * use.page_bytes;
  if (reserved_until_ >= end + options_.reserve_bytes / 2) return;
  const auto file = Descriptor::open(options_.path, O_RDWR);
  if (!file) return;
  const int rc = ::fallocate(file->number(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end), static_cast<off_t>(options_.reserve_bytes));
  if (rc == 0) reserved_until_ = end + options_.reserve_bytes;
}

bool Tables::may_grow() const {
  return options_.least_free_bytes == 0 || disk_.free_bytes() >= options_.least_free_bytes;
}

}  // namespace picket::buffer

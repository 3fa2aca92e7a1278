// The tables: ordered keys, snapshot reads, atomic write batches. This is the seam behind which LMDB
// is the embedded default; nothing above it may assume LMDB.
//
// What each table holds, and the layout of its keys, stands in buffer/schema/README.md; rows are the
// protobuf messages of buffer/schema/rows.proto (read and written through rows.h).
//
// INVARIANT  write() is atomic and durable: when it has returned success, it survives a power cut.
// INVARIANT  A snapshot never sees half a batch, and never waits for a writer.
// INVARIANT  A batch that failed is not there, now or after a restart. When the disk failed the last
//            write of a commit, LMDB wants the file opened anew: done here, once no snapshot is left.
// THREADS    All members from any thread. Batches are serialised; a Snapshot belongs to one thread
//            at a time and must be short: it pins the pages that writers free meanwhile.
#pragma once

#include "buffer/change_feed.h"
#include "buffer/disk_gauge.h"
#include "buffer/env.h"
#include "buffer/file_check.h"
#include "buffer/packed_rows.h"
#include "buffer/page_order.h"
#include "buffer/result.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

// The position of a name in table_names() is nothing that is stored: tables are stored by name.
enum class Table : std::uint8_t {
  meta,
  cursors,
  organizations,
  slugs,
  projects,
  project_keys,
  keys_by_project,
  teams,
  team_projects,
  team_members,
  users,
  members,
  tokens,
  issues,
  issue_counters,
  issue_hashes,
  hashes_by_issue,
  issues_by_last_seen,
  short_ids,
  events,
  event_ids,
  events_by_issue,
  events_by_project,
  issue_tags,
  issues_by_tag,
  project_tags,
  issue_users,
  issue_marks,
  activities,
  releases,
  release_projects,
  environments,
  outcomes,
  destinations,
  forwarding,
  quarantine,
  raw_items,
  ledger,
  sessions,
  sessions_by_age,
  session_counts,
  session_users,
  monitors,
  monitors_by_slug,
  monitor_environments,
  monitor_due,
  check_ins,
  check_ins_by_id,
  user_reports,
  user_reports_by_event,
  user_reports_by_issue,
  attachments,
  facts,
  placed,
  replays,
  replay_segments,
  profiles,
  profile_chunks,
  issue_snoozes,
  issue_due,
  tombstones,
  ownership,
  shares,
  saved_queries,
  issue_changes,
  issue_wishes,
  issue_links,
  issue_links_due,
  status_syncs,
  marks,
  event_id_runs,
  awaited_releases,
  issue_texts,
  tag_runs,
};
constexpr std::size_t table_count = static_cast<std::size_t>(Table::tag_runs) + 1;
std::string_view table_name(Table table);

// Whether several of the table's rows lie in one value (packed_block.h). No other than this file's
// users need to know, but for how long views into such a table live.
bool is_packed(Table table);

// A place in one table. Positioning calls return false at the end (or beginning) of the table, after
// which key() and value() must not be read. Views live as the reader's; of packed tables until the
// cursor moves.
class RowCursor {
 public:
  bool first() { return packed_ ? packed_->first() : rows_->first(); }
  bool last() { return packed_ ? packed_->last() : rows_->last(); }
  bool seek(std::string_view key) { return packed_ ? packed_->seek(key) : rows_->seek(key); }  // the first row >= key
  bool seek_before(std::string_view key) {  // the last row < key
    return packed_ ? packed_->seek_before(key) : rows_->seek_before(key);
  }
  bool next() { return packed_ ? packed_->next() : rows_->next(); }
  bool previous() { return packed_ ? packed_->previous() : rows_->previous(); }
  bool valid() const { return packed_ ? packed_->valid() : rows_->valid(); }
  std::string_view key() const { return packed_ ? packed_->key() : rows_->key(); }
  std::string_view value() const { return packed_ ? packed_->value() : rows_->value(); }

 private:
  friend class Reader;
  explicit RowCursor(Cursor rows) : rows_(std::move(rows)) {}
  explicit RowCursor(PackedCursor rows) : packed_(std::move(rows)) {}
  std::optional<Cursor> rows_;
  std::optional<PackedCursor> packed_;
};

// Whether keys are there. Looking them up costs least in ascending order.
class RowFinder {
 public:
  bool has(std::string_view key) { return packed_ ? packed_->has(key) : rows_->seek(key) && rows_->key() == key; }

 private:
  friend class Reader;
  explicit RowFinder(Cursor rows) : rows_(std::move(rows)) {}
  explicit RowFinder(PackedFinder rows) : packed_(std::move(rows)) {}
  std::optional<Cursor> rows_;
  std::optional<PackedFinder> packed_;
};

// Reading, shared by Snapshot and Batch. Views die with the snapshot, or with the batch's next write;
// those into packed tables with the next get() of the same table, too.
class Reader {
 public:
  std::optional<std::string_view> get(Table table, std::string_view key) const;
  RowCursor cursor(Table table) const;
  RowFinder finder(Table table) const;  // until the next change to the tables
  std::uint64_t entries(Table table) const;  // of a packed table: reads all of it
  std::uint64_t pages(Table table) const { return txn_->pages(handle(table)); }  // that it takes on the disk
  // Numbers rise by one per committed batch; of a snapshot the newest it sees.
  std::uint64_t transaction() const { return txn_->number(); }

 protected:
  using Handles = std::array<TableHandle, table_count>;
  Reader(const Txn& txn, const Handles& handles) : txn_(&txn), handles_(&handles) {}
  ~Reader() = default;
  Reader(Reader&&) = default;
  Reader& operator=(Reader&&) = default;

  TableHandle handle(Table table) const { return (*handles_)[static_cast<std::size_t>(table)]; }
  PackedEditor* packed_editor(Table table) const;  // nothing within a snapshot

  const Txn* txn_;
  const Handles* handles_;

 private:
  friend class Batch;
  WriteTxn* changing_ = nullptr;  // a batch's
  // By table: what a batch holds back, and what get() found.
  mutable std::map<Table, std::unique_ptr<PackedEditor>> editors_;
  mutable std::map<Table, std::string> kept_;
};

// The environment with its tables, while somebody uses it.
struct OpenTables {
  Env env;
  std::array<TableHandle, table_count> handles;
};

class Snapshot : public Reader {
 private:
  friend class Tables;
  Snapshot(std::unique_ptr<ReadTxn> txn, std::shared_ptr<OpenTables> opened)
      : Reader(*txn, opened->handles), opened_(std::move(opened)), owned_(std::move(txn)) {}
  std::shared_ptr<OpenTables> opened_;  // outlives the transaction
  std::unique_ptr<ReadTxn> owned_;
};

class Batch;

// Reads and changes the rows of one table in ascending order, faster than get() and put(). Must not
// outlive its batch, and not be mixed with other changes to the same table between find() and put().
class TableEditor {
 public:
  std::optional<std::string_view> find(std::string_view key) {
    return packed_ != nullptr ? packed_->find(key) : editor_->find(key);
  }
  void put(std::string_view key, std::string_view value);  // a failure fails the batch

 private:
  friend class Batch;
  TableEditor(Batch& batch, Table table) : batch_(&batch), table_(table) {}
  Batch* batch_;
  Table table_;
  std::optional<Editor> editor_;
  PackedEditor* packed_ = nullptr;  // instead
};

// The first failing call decides the batch: later calls do nothing and write() returns that error.
class Batch : public Reader {
 public:
  void put(Table table, std::string_view key, std::string_view value);
  void remove(Table table, std::string_view key);
  TableEditor edit(Table table);
  // The next number of a named sequence, from 1, never given twice: "issue", "project", …
  std::uint64_t next_number(std::string_view sequence);
  void fail(Error error);
  bool failed() const;

 private:
  friend class Tables;
  friend class TableEditor;
  Batch(WriteTxn& txn, const Handles& handles) : Reader(txn, handles), writer_(&txn) { changing_ = &txn; }
  void note(Table table, std::string_view key);
  void keep_pages_in_order(PageOrder& order);
  void settle();  // writes what packed tables hold back
  WriteTxn* writer_;
  std::optional<Error> failure_;
  std::vector<std::string> touched_;  // keys of the watched tables
};

struct TablesOptions {
  std::filesystem::path path;  // the file
  std::uint64_t map_bytes = std::uint64_t{256} << 30;  // address space, not disk
  bool read_only = false;
  // Disk that the file is promised behind its last page, so that deletes and cursors can be written
  // when there is none left.
  std::uint64_t reserve_bytes = 0;
  // With less than this free on the file system may_grow() says no.
  std::uint64_t least_free_bytes = 0;
  DiskFree disk_free = {};  // instead of the file system's own word
};

class Tables {
 public:
  static Result<std::unique_ptr<Tables>> open(const TablesOptions& options);

  Snapshot snapshot() const;

  // Runs `change` in one write transaction, then commits and syncs. Throwing from `change` aborts
  // the batch and passes on.
  Result<void> write(const std::function<void(Batch&)>& change);

  Result<void> copy_to(const std::filesystem::path& target) const { return opened()->env.copy_to(target); }
  // May what only adds rows be written? On a full disk what is left is for deletes and cursors.
  bool may_grow() const;
  // Until its file is closed LMDB keeps as many pages of memory as the largest batch has changed. Gives them back by opening it
  // anew, for which others wait some milliseconds; false, and nothing is done, while anybody reads or writes.
  bool give_back_memory();
  EnvUse use() const { return opened()->env.use(); }
  std::filesystem::path folder() const { return options_.path.parent_path(); }

  // The keys of `issues`, `issue_counters` (both the issue's number) that batches after transaction
  // `from` up to `to` touched, with repetitions; nothing when that is no longer known.
  std::optional<std::vector<std::string>> issues_touched(std::uint64_t from, std::uint64_t to) const {
    return issue_changes_->since(from, to);
  }

 private:
  Tables(const TablesOptions& options, std::shared_ptr<OpenTables> opened)
      : options_(options), disk_(options.path.parent_path(), options.disk_free), opened_(std::move(opened)) {}
  static Result<std::shared_ptr<OpenTables>> open_file(const TablesOptions& options);
  static Result<std::shared_ptr<OpenTables>> open_synced(const TablesOptions& options);
  std::shared_ptr<OpenTables> opened() const;
  bool open_again(std::shared_ptr<OpenTables> broken) const;
  void close_and_open(const std::function<Result<std::shared_ptr<OpenTables>>()>& open) const;
  void note_failed_commit(const OpenTables& opened, std::uint64_t number);
  void keep_reserve(const OpenTables& opened) const;

  const TablesOptions options_;
  const DiskGauge disk_;
  mutable std::atomic<std::uint64_t> reserved_until_{0};
  PageOrder page_order_;
  mutable std::mutex opened_mutex_;
  mutable std::shared_ptr<OpenTables> opened_;       // guarded by opened_mutex_
  mutable std::optional<NewestMeta> to_take_back_;   // guarded by opened_mutex_: of a commit that failed
  // 2 MiB: some 60,000 touched issues, then readers start over.
  std::unique_ptr<ChangeFeed> issue_changes_ = std::make_unique<ChangeFeed>(std::size_t{2} << 20);
};

}  // namespace picket::buffer

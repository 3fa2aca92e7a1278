// The tables: ordered keys, snapshot reads, atomic write batches. This is the seam behind which LMDB
// is the embedded default; nothing above it may assume LMDB.
//
// What each table holds, and the layout of its keys, stands in buffer/schema/README.md; rows are the
// protobuf messages of buffer/schema/rows.proto (read and written through rows.h).
//
// INVARIANT  write() is atomic and durable: when it has returned success, it survives a power cut.
// INVARIANT  A snapshot never sees half a batch, and never waits for a writer.
// THREADS    All members from any thread. Batches are serialised; a Snapshot belongs to one thread
//            at a time and must be short: it pins the pages that writers free meanwhile.
#pragma once

#include "buffer/change_feed.h"
#include "buffer/env.h"
#include "buffer/result.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
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
  awaited_releases,
  issue_texts,
};
constexpr std::size_t table_count = static_cast<std::size_t>(Table::issue_texts) + 1;
std::string_view table_name(Table table);

// Reading, shared by Snapshot and Batch. Views die with the snapshot, or with the batch's next write.
class Reader {
 public:
  std::optional<std::string_view> get(Table table, std::string_view key) const;
  Cursor cursor(Table table) const;
  std::uint64_t entries(Table table) const;
  // Numbers rise by one per committed batch; of a snapshot the newest it sees.
  std::uint64_t transaction() const { return txn_->number(); }

 protected:
  using Handles = std::array<TableHandle, table_count>;
  Reader(const Txn& txn, const Handles& handles) : txn_(&txn), handles_(&handles) {}
  ~Reader() = default;
  Reader(const Reader&) = default;
  Reader& operator=(const Reader&) = default;

  const Txn* txn_;
  const Handles* handles_;
};

class Snapshot : public Reader {
 private:
  friend class Tables;
  Snapshot(std::unique_ptr<ReadTxn> txn, const Handles& handles)
      : Reader(*txn, handles), owned_(std::move(txn)) {}
  std::unique_ptr<ReadTxn> owned_;
};

class Batch;

// Reads and changes the rows of one table in ascending order, faster than get() and put(). Must not
// outlive its batch, and not be mixed with other changes to the same table between find() and put().
class TableEditor {
 public:
  std::optional<std::string_view> find(std::string_view key) { return editor_.find(key); }
  void put(std::string_view key, std::string_view value);  // a failure fails the batch

 private:
  friend class Batch;
  TableEditor(Batch& batch, Table table, Editor editor)
      : batch_(&batch), table_(table), editor_(std::move(editor)) {}
  Batch* batch_;
  Table table_;
  Editor editor_;
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
  bool failed() const { return failure_.has_value(); }

 private:
  friend class Tables;
  friend class TableEditor;
  Batch(WriteTxn& txn, const Handles& handles) : Reader(txn, handles), writer_(&txn) {}
  void note(Table table, std::string_view key);
  WriteTxn* writer_;
  std::optional<Error> failure_;
  std::vector<std::string> touched_;  // keys of the watched tables
};

struct TablesOptions {
  std::filesystem::path path;  // the file
  std::uint64_t map_bytes = std::uint64_t{256} << 30;  // address space, not disk
  bool read_only = false;
};

class Tables {
 public:
  static Result<std::unique_ptr<Tables>> open(const TablesOptions& options);

  Snapshot snapshot() const;

  // Runs `change` in one write transaction, then commits and syncs. Throwing from `change` aborts
  // the batch and passes on.
  Result<void> write(const std::function<void(Batch&)>& change);

  Result<void> copy_to(const std::filesystem::path& target) const { return env_.copy_to(target); }
  EnvUse use() const { return env_.use(); }

  // The keys of `issues`, `issue_counters` (both the issue's number) that batches after transaction
  // `from` up to `to` touched, with repetitions; nothing when that is no longer known.
  std::optional<std::vector<std::string>> issues_touched(std::uint64_t from, std::uint64_t to) const {
    return issue_changes_->since(from, to);
  }

 private:
  Tables(Env env, std::array<TableHandle, table_count> handles)
      : env_(std::move(env)), handles_(handles) {}
  Env env_;
  std::array<TableHandle, table_count> handles_;
  // 2 MiB: some 60,000 touched issues, then readers start over.
  std::unique_ptr<ChangeFeed> issue_changes_ = std::make_unique<ChangeFeed>(std::size_t{2} << 20);
};

}  // namespace picket::buffer

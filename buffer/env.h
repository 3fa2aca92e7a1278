// RAII over LMDB: the only file besides env.cpp that may name an MDB_ type.
//
// INVARIANT  No environment is opened twice in a process (LMDB loses its locks if it is).
// INVARIANT  Every commit is synced before commit() returns: no NOSYNC, no WRITEMAP.
// THREADS    Env is shared. A transaction belongs to one thread at a time (MDB_NOTLS is set, so a
//            read transaction may move between threads, never be used by two at once).
//            One write transaction at a time; begin() waits for the other to end.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace picket::buffer {

struct EnvOptions {
  std::filesystem::path path;  // one file; LMDB adds "<path>-lock" beside it
  std::size_t map_bytes = std::size_t{1} << 30;
  unsigned tables = 1;  // named tables that may be opened
  bool read_only = false;
  bool random_access = false;  // no readahead: for data larger than memory
  bool no_lock = false;        // read_only, of a file that nobody writes: makes no lock file
};

struct EnvUse {
  std::uint64_t page_bytes = 0;
  std::uint64_t used_pages = 0;  // high-water mark of the file, free pages within included
  std::uint64_t map_bytes = 0;
  std::uint64_t last_transaction = 0;
};

// Pages that were given up and wait to be used again.
struct FreePages {
  std::uint64_t given_up = 0;  // by the one transaction that was asked about
  std::uint64_t list_pages = 0;  // that the list of all of them takes itself: some 500 are named on each
};

using TableHandle = unsigned;

class Env {
 public:
  static Result<Env> open(const EnvOptions& options);

  // Opens (creating where allowed) a named table; "" is the unnamed one.
  Result<TableHandle> open_table(std::string_view name);
  // Several in one transaction, so that creating them costs one sync.
  Result<std::vector<TableHandle>> open_tables(std::span<const std::string_view> names);

  EnvUse use() const;
  FreePages free_pages(std::uint64_t transaction) const;  // zeros where nothing can be read

  // Writes a consistent copy of the newest committed state to `target`, which must not exist.
  Result<void> copy_to(const std::filesystem::path& target) const;

  // A commit's last write failed: LMDB refuses everything until the file is opened anew.
  bool broken() const;

  // Frees reader slots that dead processes left behind. Returns how many.
  int check_readers();

 private:
  friend class ReadTxn;
  friend class WriteTxn;

  struct Close {
    void operator()(MDB_env* env) const;
  };
  explicit Env(std::unique_ptr<MDB_env, Close> env, bool read_only)
      : env_(std::move(env)), read_only_(read_only) {}

  std::unique_ptr<MDB_env, Close> env_;
  bool read_only_;
};

struct AbortTxn {
  void operator()(MDB_txn* txn) const;
};
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const;
};

// A place in one table. Positioning calls return false at the end (or beginning) of the table, after
// which key() and value() must not be read.
class Cursor {
 public:
  bool first();
  bool last();
  bool seek(std::string_view key);         // the first entry >= key
  bool seek_before(std::string_view key);  // the last entry < key
  bool next();
  bool previous();
  bool valid() const { return valid_; }
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  friend class Txn;
  explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
  bool move(int operation, std::string_view key);

  std::unique_ptr<MDB_cursor, CloseCursor> cursor_;
  std::string_view key_;
  std::string_view value_;
  bool valid_ = false;
};

// What a read and a write transaction share. Views die with the transaction, and within a write
// transaction with the next write.
class Txn {
 public:
  std::optional<std::string_view> get(TableHandle table, std::string_view key) const;
  Cursor cursor(TableHandle table) const;  // must not outlive the transaction
  std::uint64_t entries(TableHandle table) const;
  std::uint64_t pages(TableHandle table) const;  // that it takes
  // Of a read transaction the last committed one it sees, of a write transaction its own.
  std::uint64_t number() const;

 protected:
  explicit Txn(MDB_txn* txn) : txn_(txn) {}
  std::unique_ptr<MDB_txn, AbortTxn> txn_;
};

class ReadTxn : public Txn {
 public:
  static Result<ReadTxn> begin(const Env& env);

 private:
  using Txn::Txn;
};

// A place in one table for reading and changing rows in ascending order: a step within a page costs a
// fraction of finding the page anew. Must not outlive its transaction.
class Editor {
 public:
  std::optional<std::string_view> find(std::string_view key);  // the value of exactly this key
  Result<void> put(std::string_view key, std::string_view value);

 private:
  friend class WriteTxn;
  explicit Editor(MDB_cursor* cursor) : cursor_(cursor) {}
  std::unique_ptr<MDB_cursor, CloseCursor> cursor_;
  std::string_view found_key_;  // where the cursor stands
  std::size_t found_bytes_ = 0;
};

// Aborts unless commit() is called and succeeds.
class WriteTxn : public Txn {
 public:
  static Result<WriteTxn> begin(Env& env);

  Result<void> put(TableHandle table, std::string_view key, std::string_view value);
  Result<void> put_zeros(TableHandle table, std::string_view key, std::size_t bytes);
  // As put(), for a key greater than every key of the table; false when it is not. Fills pages
  // to the brim, where put() in ascending order would leave them half empty.
  Result<bool> append(TableHandle table, std::string_view key, std::string_view value);
  // Room for a value of `bytes` that the caller fills before the next call on this transaction.
  // REQUIRES: key greater than every key of the table.
  Result<char*> append_reserved(TableHandle table, std::string_view key, std::size_t bytes);
  Result<bool> remove(TableHandle table, std::string_view key);  // false: was not there
  Editor editor(TableHandle table);
  Result<void> commit() &&;

 private:
  using Txn::Txn;
};

}  // namespace picket::buffer

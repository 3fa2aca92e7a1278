#include "buffer/env.h"

#include "buffer/logger.h"

#include <lmdb.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace picket::buffer {
namespace {

Error lmdb_error(int rc, std::string_view doing) {
  const bool broken = rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
                      rc == MDB_VERSION_MISMATCH;
  const auto fault = rc == MDB_NOTFOUND ? Fault::not_found
                     : broken           ? Fault::corrupt
                     : rc == MDB_BAD_VALSIZE ? Fault::too_large
                                             : Fault::unavailable;
  return {fault, std::string(doing) + ": " + mdb_strerror(rc)};
}

// A read that fails for anything but "not there" means damaged pages or a transaction misused: going
// on would serve or commit wrong rows.
[[noreturn]] void broken_read(int rc) {
  log(Level::error, "buffer", "table read failed", {{"reason", mdb_strerror(rc)}});
  std::abort();
}

MDB_val to_val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// After a write that failed (disk full) LMDB refuses everything but the abort, which is then certain:
// nothing that is read can be committed, so reads find nothing and the writer learns why at the end.
bool doomed(int rc) {
  return rc == MDB_BAD_TXN;
}

bool fits_key(std::string_view key) {
  return !key.empty() && key.size() <= 511;
}

}  // namespace

void Env::Close::operator()(MDB_env* env) const {
  mdb_env_close(env);
}
void AbortTxn::operator()(MDB_txn* txn) const {
  mdb_txn_abort(txn);
}
void CloseCursor::operator()(MDB_cursor* cursor) const {
  mdb_cursor_close(cursor);
}

Result<Env> Env::open(const EnvOptions& options) {
  MDB_env* raw = nullptr;
  if (const int rc = mdb_env_create(&raw); rc != 0) return lmdb_error(rc, "create environment");
  std::unique_ptr<MDB_env, Close> env(raw);
  mdb_env_set_mapsize(raw, options.map_bytes);
  mdb_env_set_maxdbs(raw, options.tables);
  mdb_env_set_maxreaders(raw, 256);
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  if (options.read_only) flags |= MDB_RDONLY;
  if (options.random_access) flags |= MDB_NORDAHEAD;
  if (options.no_lock) flags |= MDB_NOLOCK;
  if (const int rc = mdb_env_open(raw, options.path.c_str(), flags, 0640); rc != 0) {
    return lmdb_error(rc, "open " + options.path.string());
  }
  return Env(std::move(env), options.read_only);
}

Result<TableHandle> Env::open_table(std::string_view name) {
  const auto handles = open_tables({&name, 1});
  if (!handles) return handles.error();
  return handles->front();
}

Result<std::vector<TableHandle>> Env::open_tables(std::span<const std::string_view> names) {
  MDB_txn* raw = nullptr;
  const unsigned txn_flags = read_only_ ? MDB_RDONLY : 0U;
  if (const int rc = mdb_txn_begin(env_.get(), nullptr, txn_flags, &raw); rc != 0) {
    return lmdb_error(rc, "begin");
  }
  std::unique_ptr<MDB_txn, AbortTxn> txn(raw);
  const unsigned flags = read_only_ ? 0U : unsigned{MDB_CREATE};
  std::vector<TableHandle> handles;
  for (const std::string_view name : names) {
    MDB_dbi dbi = 0;
    const std::string copy(name);
    if (const int rc = mdb_dbi_open(raw, copy.empty() ? nullptr : copy.c_str(), flags, &dbi); rc != 0) {
      return lmdb_error(rc, "open table " + copy);
    }
    handles.push_back(dbi);
  }
  if (const int rc = mdb_txn_commit(txn.release()); rc != 0) return lmdb_error(rc, "open tables");
  return handles;
}

EnvUse Env::use() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_.get(), &info);
  mdb_env_stat(env_.get(), &stat);
  return {stat.ms_psize, info.me_last_pgno + 1, info.me_mapsize, info.me_last_txnid};
}

// LMDB's handle 0: number of a transaction -> how many pages it gave up, and which.
FreePages Env::free_pages(std::uint64_t transaction) const {
  constexpr MDB_dbi free_list = 0;
  const auto txn = ReadTxn::begin(*this);
  if (!txn) return {};
  FreePages free;
  free.list_pages = txn->pages(free_list);
  auto records = txn->cursor(free_list);
  if (!records.seek({reinterpret_cast<const char*>(&transaction), sizeof transaction})) return free;
  std::uint64_t number = 0;
  std::memcpy(&number, records.key().data(), sizeof number);
  if (number == transaction) std::memcpy(&free.given_up, records.value().data(), sizeof free.given_up);
  return free;
}

Result<void> Env::copy_to(const std::filesystem::path& target) const {
  if (const int rc = mdb_env_copy2(env_.get(), target.c_str(), MDB_CP_COMPACT); rc != 0) {
    return lmdb_error(rc, "copy to " + target.string());
  }
  return {};
}

bool Env::broken() const {
  MDB_txn* txn = nullptr;
  const int rc = mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &txn);
  if (rc == 0) mdb_txn_abort(txn);
  return rc == MDB_PANIC;
}

int Env::check_readers() {
  int dead = 0;
  mdb_reader_check(env_.get(), &dead);
  return dead;
}

bool Cursor::move(int operation, std::string_view key) {
  if (!cursor_) return valid_ = false;
  MDB_val k = to_val(key);
  MDB_val v{};
  const int rc = mdb_cursor_get(cursor_.get(), &k, &v, static_cast<MDB_cursor_op>(operation));
  if (rc != 0 && rc != MDB_NOTFOUND && rc != EINVAL && !doomed(rc)) broken_read(rc);
  valid_ = rc == 0;
  if (valid_) {
    key_ = to_view(k);
    value_ = to_view(v);
  }
  return valid_;
}

bool Cursor::first() {
  return move(MDB_FIRST, {});
}
bool Cursor::last() {
  return move(MDB_LAST, {});
}
bool Cursor::next() {
  return move(MDB_NEXT, {});
}
bool Cursor::previous() {
  return move(MDB_PREV, {});
}
bool Cursor::seek(std::string_view key) {
  if (key.empty()) return first();
  return move(MDB_SET_RANGE, key.substr(0, 511));
}
bool Cursor::seek_before(std::string_view key) {
  return seek(key) ? previous() : last();
}

std::optional<std::string_view> Txn::get(TableHandle table, std::string_view key) const {
  if (!fits_key(key)) return std::nullopt;
  MDB_val k = to_val(key);
  MDB_val v{};
  const int rc = mdb_get(txn_.get(), table, &k, &v);
  if (rc == MDB_NOTFOUND || doomed(rc)) return std::nullopt;
  if (rc != 0) broken_read(rc);
  return to_view(v);
}

Cursor Txn::cursor(TableHandle table) const {
  MDB_cursor* cursor = nullptr;
  const int rc = mdb_cursor_open(txn_.get(), table, &cursor);
  if (rc != 0 && !doomed(rc)) broken_read(rc);
  return Cursor(cursor);
}

std::uint64_t Txn::entries(TableHandle table) const {
  MDB_stat stat{};
  const int rc = mdb_stat(txn_.get(), table, &stat);
  if (rc != 0 && !doomed(rc)) broken_read(rc);
  return stat.ms_entries;
}

std::uint64_t Txn::pages(TableHandle table) const {
  MDB_stat stat{};
  const int rc = mdb_stat(txn_.get(), table, &stat);
  if (rc != 0 && !doomed(rc)) broken_read(rc);
  return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

std::uint64_t Txn::number() const {
  return mdb_txn_id(txn_.get());
}

Result<ReadTxn> ReadTxn::begin(const Env& env) {
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env.env_.get(), nullptr, MDB_RDONLY, &txn); rc != 0) {
    return lmdb_error(rc, "begin read");
  }
  return ReadTxn(txn);
}

Result<WriteTxn> WriteTxn::begin(Env& env) {
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(env.env_.get(), nullptr, 0, &txn); rc != 0) {
    return lmdb_error(rc, "begin write");
  }
  return WriteTxn(txn);
}

Result<void> WriteTxn::put(TableHandle table, std::string_view key, std::string_view value) {
  if (!fits_key(key)) return Error{Fault::too_large, "key of " + std::to_string(key.size()) + " bytes"};
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  if (const int rc = mdb_put(txn_.get(), table, &k, &v, 0); rc != 0) return lmdb_error(rc, "put");
  return {};
}

Result<void> WriteTxn::put_zeros(TableHandle table, std::string_view key, std::size_t bytes) {
  MDB_val k = to_val(key);
  MDB_val v{bytes, nullptr};
  if (const int rc = mdb_put(txn_.get(), table, &k, &v, MDB_RESERVE); rc != 0) return lmdb_error(rc, "put");
  std::memset(v.mv_data, 0, bytes);
  return {};
}

Result<bool> WriteTxn::append(TableHandle table, std::string_view key, std::string_view value) {
  if (!fits_key(key)) return Error{Fault::too_large, "key of " + std::to_string(key.size()) + " bytes"};
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  const int rc = mdb_put(txn_.get(), table, &k, &v, MDB_APPEND);
  if (rc == MDB_KEYEXIST) return false;
  if (rc != 0) return lmdb_error(rc, "append");
  return true;
}

Result<char*> WriteTxn::append_reserved(TableHandle table, std::string_view key, std::size_t bytes) {
  MDB_val k = to_val(key);
  MDB_val v{bytes, nullptr};
  if (const int rc = mdb_put(txn_.get(), table, &k, &v, MDB_APPEND | MDB_RESERVE); rc != 0) {
    return lmdb_error(rc, "append");
  }
  return static_cast<char*>(v.mv_data);
}

Result<bool> WriteTxn::remove(TableHandle table, std::string_view key) {
  if (!fits_key(key)) return false;
  MDB_val k = to_val(key);
  const int rc = mdb_del(txn_.get(), table, &k, nullptr);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return lmdb_error(rc, "remove");
  return true;
}

Editor WriteTxn::editor(TableHandle table) {
  MDB_cursor* cursor = nullptr;
  const int rc = mdb_cursor_open(txn_.get(), table, &cursor);
  if (rc != 0 && !doomed(rc)) broken_read(rc);
  return Editor(cursor);
}

std::optional<std::string_view> Editor::find(std::string_view key) {
  found_key_ = {};
  if (!cursor_ || !fits_key(key)) return std::nullopt;
  MDB_val k = to_val(key);
  MDB_val v{};
  const int rc = mdb_cursor_get(cursor_.get(), &k, &v, MDB_SET_KEY);
  if (rc == MDB_NOTFOUND || doomed(rc)) return std::nullopt;
  if (rc != 0) broken_read(rc);
  found_key_ = to_view(k);
  found_bytes_ = v.mv_size;
  return to_view(v);
}

Result<void> Editor::put(std::string_view key, std::string_view value) {
  if (!fits_key(key)) return Error{Fault::too_large, "key of " + std::to_string(key.size()) + " bytes"};
  if (!cursor_) return lmdb_error(MDB_BAD_TXN, "put");
  // A value of the same size is overwritten in its place.
  const bool here = found_key_ == key && found_bytes_ == value.size();
  found_key_ = {};
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  const int rc = mdb_cursor_put(cursor_.get(), &k, &v, here ? unsigned{MDB_CURRENT} : 0U);
  if (rc != 0) return lmdb_error(rc, "put");
  return {};
}

Result<void> WriteTxn::commit() && {
  if (const int rc = mdb_txn_commit(txn_.release()); rc != 0) return lmdb_error(rc, "commit");
  return {};
}

}  // namespace picket::buffer

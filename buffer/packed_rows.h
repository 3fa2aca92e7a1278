// Tables whose rows are packed into blocks (packed_block.h): reading and changing single rows.
//
// INVARIANT  A block's key in LMDB is its first row's; its rows come before the next block's key.
// INVARIANT  Blocks do not overlap, whatever order rows come and go in. A row that was there before
//            there were blocks is a block of one row; it joins another's when it is changed.
// A block that makes no sense is logged, counts as empty and stays as it is.
// THREADS    As the transaction that they belong to, which all must not outlive.
#pragma once

#include "buffer/env.h"
#include "buffer/packed_block.h"
#include "buffer/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace picket::buffer {

// The value of exactly this key; the view is into `kept`.
std::optional<std::string_view> find_packed(const Txn& txn,
                                            TableHandle table,
                                            std::string_view key,
                                            std::string& kept);
std::uint64_t count_packed(const Txn& txn, TableHandle table);  // reads the table

// Changes rows. One block is held back and written when another is needed: changes cost least in
// ascending order.
class PackedEditor {
 public:
  PackedEditor(WriteTxn& txn, TableHandle table, const PackedRule& rule)
      : txn_(&txn), table_(table), rule_(rule) {}

  // The view dies with the next call.
  std::optional<std::string_view> find(std::string_view key);
  Result<void> put(std::string_view key, std::string_view value);
  Result<void> remove(std::string_view key);
  // Writes what is held back. The first failure is repeated by every later call.
  Result<void> flush();
  bool failed() const { return failure_.has_value(); }
  // Rises with every change.
  std::uint64_t generation() const { return generation_; }

 private:
  bool holds(std::string_view key) const;
  void load(std::string_view key);
  void take_in(std::string_view key, std::string_view stored);
  Result<void> write_block();
  Result<void> changed();

  WriteTxn* txn_;
  TableHandle table_;
  PackedRule rule_;
  std::optional<Cursor> cursor_;
  PackedBlock block_;
  bool loaded_ = false;
  bool dirty_ = false;
  std::optional<std::string> stored_key_;  // the block's in LMDB; none: it is new
  std::string from_;                       // keys that belong to the block: from this one on
  std::optional<std::string> until_;       // and before this one
  std::uint64_t generation_ = 0;
  std::optional<Error> failure_;
};

// Looks rows up, in ascending order at the least cost: a block is walked through once, up to the last row that is asked
// for. Must not outlive its transaction, nor a change to the tables.
class PackedFinder {
 public:
  explicit PackedFinder(Cursor blocks) : blocks_(std::move(blocks)) {}
  bool has(std::string_view key);

 private:
  void enter(std::string_view key);

  Cursor blocks_;
  std::optional<PackedWalk> walk_;     // through the block that rows from its first on, and before `until_`, belong to
  std::optional<std::string> until_;  // none: it is the last
  bool there_ = false;                 // the walk stands on a row
};

// As Cursor, over rows instead of blocks. Views die when it moves.
class PackedCursor {
 public:
  // `editor`: of the same table and transaction, if rows may change while the cursor is there.
  PackedCursor(Cursor blocks, PackedEditor* editor) : blocks_(std::move(blocks)), editor_(editor) {}

  bool first();
  bool last();
  bool seek(std::string_view key);
  bool seek_before(std::string_view key);
  bool next();
  bool previous();
  bool valid() const { return valid_; }
  std::string_view key() const { return block_.key(row_); }
  std::string_view value() const { return block_.value(row_); }

 private:
  bool settle();
  bool enter_first(bool there);  // the first row of the block here or of those after it
  bool enter_last(bool there);
  bool read_block();

  Cursor blocks_;
  PackedEditor* editor_;
  PackedBlock block_;
  std::size_t row_ = 0;
  bool valid_ = false;
  std::uint64_t seen_ = 0;  // generation of the editor
};

}  // namespace picket::buffer

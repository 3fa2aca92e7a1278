#include "buffer/packed_rows.h"

#include "buffer/logger.h"

#include <string>
#include <utility>
#include <vector>

namespace picket::buffer {
namespace {

constexpr std::size_t longest_packed_key = 511;             // LMDB's
constexpr std::size_t most_packed_value = std::size_t{1} << 30;
constexpr std::size_t most_held_bytes = std::size_t{64} << 10;  // of a block that grows

void report_damaged_block() {
  log(Level::error, "buffer", "a block of rows makes no sense and is passed over", {});
}

// The block that a key belongs to: the last that does not begin behind it.
bool seek_block(Cursor& cursor, std::string_view key) {
  if (!cursor.seek(key)) return cursor.last();
  return cursor.key() == key || cursor.previous();
}

}  // namespace

std::optional<std::string_view> find_packed(const Txn& txn,
                                            TableHandle table,
                                            std::string_view key,
                                            std::string& kept) {
  if (key.empty() || key.size() > longest_packed_key) return std::nullopt;
  auto cursor = txn.cursor(table);
  if (!seek_block(cursor, key)) return std::nullopt;
  PackedWalk walk(cursor.key(), cursor.value());
  while (walk.next()) {
    if (walk.key() < key) continue;
    if (walk.key() != key) return std::nullopt;
    kept.assign(walk.value());
    return std::string_view(kept);
  }
  if (walk.damaged()) report_damaged_block();
  return std::nullopt;
}

std::uint64_t count_packed(const Txn& txn, TableHandle table) {
  std::uint64_t rows = 0;
  auto cursor = txn.cursor(table);
  for (bool there = cursor.first(); there; there = cursor.next()) {
    const PackedWalk walk(cursor.key(), cursor.value());
    rows += walk.rows();
  }
  return rows;
}

// ---- PackedEditor -------------------------------------------------------------------------------

bool PackedEditor::holds(std::string_view key) const {
  return loaded_ && key >= from_ && (!until_ || key < *until_);
}

void PackedEditor::take_in(std::string_view key, std::string_view stored) {
  stored_key_.reset();
  if (block_.read(key, stored)) {
    stored_key_ = key;
    return;
  }
  report_damaged_block();
}

void PackedEditor::load(std::string_view key) {
  if (holds(key)) return;
  if (!flush()) return;
  block_.clear();
  stored_key_.reset();
  until_.reset();
  from_.clear();
  loaded_ = true;
  if (!cursor_) cursor_ = txn_->cursor(table_);
  auto& cursor = *cursor_;
  if (!cursor.seek(key)) {
    if (!cursor.last()) return;  // the table is empty
    from_ = cursor.key();
    take_in(cursor.key(), cursor.value());
    return;
  }
  if (cursor.key() == key) {
    from_ = cursor.key();
    take_in(cursor.key(), cursor.value());
    if (cursor.next()) until_ = cursor.key();
    return;
  }
  std::string after(cursor.key());
  if (cursor.previous()) {
    from_ = cursor.key();
    take_in(cursor.key(), cursor.value());
    until_ = std::move(after);
    return;
  }
  // Before all there is: the first block takes it.
  if (!cursor.first()) return;
  take_in(cursor.key(), cursor.value());
  if (!stored_key_) {
    until_ = std::move(after);
  } else if (cursor.next()) {
    until_ = cursor.key();
  }
}

std::optional<std::string_view> PackedEditor::find(std::string_view key) {
  if (failure_ || key.empty() || key.size() > longest_packed_key) return std::nullopt;
  load(key);
  if (failure_) return std::nullopt;
  const auto row = block_.lower_bound(key);
  if (row == block_.size() || block_.key(row) != key) return std::nullopt;
  return block_.value(row);
}

Result<void> PackedEditor::put(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > longest_packed_key || value.size() > most_packed_value) {
    return Error{Fault::too_large, "row with a key of " + std::to_string(key.size()) + " and a value of " +
                                       std::to_string(value.size()) + " bytes"};
  }
  if (!failure_) load(key);
  if (failure_) return *failure_;
  block_.put(key, value);
  return changed();
}

Result<void> PackedEditor::remove(std::string_view key) {
  if (!failure_) load(key);
  if (failure_) return *failure_;
  if (!block_.remove(key)) return {};
  return changed();
}

Result<void> PackedEditor::changed() {
  ++generation_;
  dirty_ = true;
  return block_.memory_bytes() > most_held_bytes ? flush() : Result<void>();
}

Result<void> PackedEditor::flush() {
  if (failure_) return *failure_;
  if (!dirty_) return {};
  if (auto written = write_block(); !written) {
    failure_ = written.error();
    return written;
  }
  dirty_ = false;
  loaded_ = false;
  return {};
}

Result<void> PackedEditor::write_block() {
  const auto parts = block_.render(rule_);
  const bool stays = stored_key_ && !parts.empty() && block_.key(0) == *stored_key_;
  if (stored_key_ && !stays) {
    const auto removed = txn_->remove(table_, *stored_key_);
    if (!removed) return removed.error();
  }
  for (const auto& part : parts) {
    const auto key = block_.key(part.first);
    const bool in_place = stays && part.first == 0;
    if (!until_ && !in_place) {
      const auto appended = txn_->append(table_, key, part.stored);
      if (!appended) return appended.error();
      if (*appended) continue;
    }
    if (auto put = txn_->put(table_, key, part.stored); !put) return put;
  }
  return {};
}

// ---- PackedFinder -------------------------------------------------------------------------------

void PackedFinder::enter(std::string_view key) {
  walk_.reset();
  until_.reset();
  there_ = false;
  if (!seek_block(blocks_, key)) {
    if (blocks_.first()) until_ = blocks_.key();
    return;
  }
  walk_.emplace(blocks_.key(), blocks_.value());
  there_ = walk_->next();
  if (walk_->damaged()) report_damaged_block();
  if (blocks_.next()) until_ = blocks_.key();
}

bool PackedFinder::has(std::string_view key) {
  if (key.empty() || key.size() > longest_packed_key) return false;
  const bool ahead = walk_ && there_ && key >= walk_->key() && (!until_ || key < *until_);
  if (!ahead) enter(key);
  while (there_ && walk_->key() < key) there_ = walk_->next();
  return there_ && walk_->key() == key;
}

// ---- PackedCursor -------------------------------------------------------------------------------

// Writes what an editor holds back. True when rows have changed since this cursor looked.
bool PackedCursor::settle() {
  if (editor_ == nullptr || editor_->generation() == seen_) return false;
  seen_ = editor_->generation();
  // A failure is the batch's, which learns of it when it ends.
  const auto written = editor_->flush();
  return bool(written);
}

bool PackedCursor::read_block() {
  if (!block_.read(blocks_.key(), blocks_.value())) report_damaged_block();
  return !block_.empty();
}

bool PackedCursor::enter_first(bool there) {
  for (; there; there = blocks_.next()) {
    if (!read_block()) continue;
    row_ = 0;
    return valid_ = true;
  }
  return valid_ = false;
}

bool PackedCursor::enter_last(bool there) {
  for (; there; there = blocks_.previous()) {
    if (!read_block()) continue;
    row_ = block_.size() - 1;
    return valid_ = true;
  }
  return valid_ = false;
}

bool PackedCursor::first() {
  settle();
  return enter_first(blocks_.first());
}

bool PackedCursor::last() {
  settle();
  return enter_last(blocks_.last());
}

bool PackedCursor::seek(std::string_view key) {
  // A step within the block costs a fraction of finding the block anew.
  if (!settle() && valid_ && key >= block_.key(0) && key <= block_.key(block_.size() - 1)) {
    row_ = block_.lower_bound(key);
    return true;
  }
  if (key.empty()) return enter_first(blocks_.first());
  key = key.substr(0, longest_packed_key);
  if (!seek_block(blocks_, key)) return enter_first(blocks_.first());
  if (!read_block()) return enter_first(blocks_.next());
  row_ = block_.lower_bound(key);
  if (row_ == block_.size()) return enter_first(blocks_.next());
  return valid_ = true;
}

bool PackedCursor::seek_before(std::string_view key) {
  settle();
  key = key.substr(0, longest_packed_key);
  if (key.empty() || !seek_block(blocks_, key)) return valid_ = false;
  if (!read_block()) return enter_last(blocks_.previous());
  row_ = block_.lower_bound(key);
  if (row_ == 0) return enter_last(blocks_.previous());
  --row_;
  return valid_ = true;
}

bool PackedCursor::next() {
  if (!valid_) return false;
  if (settle()) {
    const std::string here(key());
    valid_ = false;  // the block is not as it was: it is read anew
    return seek(here) && (key() != here || next());
  }
  if (++row_ < block_.size()) return true;
  return enter_first(blocks_.next());
}

bool PackedCursor::previous() {
  if (!valid_) return false;
  if (settle()) return seek_before(std::string(key()));
  if (row_ > 0) return --row_, true;
  return enter_last(blocks_.previous());
}

}  // namespace picket::buffer

// Several rows of a table in one value: a block. LMDB spends some ten bytes on a row besides the whole
// of its key, and a third of its pages stays empty; neighbours in a table differ in a few bytes.
//
//   block   := 0xff | rows varint | first value: bytes varint, bytes | row × (rows - 1) | padding
//   row     := head u8 | key bytes varint, if head bit 0 | value bytes varint, if head bit 1
//              | changes of the key behind its first (head >> 3) bytes | changes of the value
//   changes := (as before u4, new u4, the new bytes) until the length is reached
//
// The first row's key is the block's own. A key or value has the length of the one before unless its
// bit says otherwise; it is compared with that byte by byte from the front, a value with head bit 2
// from the end. What the one before does not reach counts as zero.
//
// A value that is no block is one row as it is, as tables had them before there were blocks. No
// message begins with 0xff, and no block has one of the lengths of what else is in tables: 0, 8, 10,
// 16 and 512 bytes. That is what the padding is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

// Steps through the rows of a block or of a value that is none. Never reads outside of the bytes,
// whatever they hold.
class PackedWalk {
 public:
  // `stored` must outlive it.
  PackedWalk(std::string_view first_key, std::string_view stored);

  bool next();  // to the first row, then to the next; false at the end, or where the bytes make no sense
  bool damaged() const { return damaged_; }
  std::uint64_t rows() const { return rows_; }  // as the block says
  std::size_t bytes_left() const { return rest_.size(); }
  // Until the next step.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  bool step();

  std::string_view rest_;
  std::string key_;
  std::string value_;
  std::uint64_t rows_ = 0;
  std::uint64_t passed_ = 0;
  bool damaged_ = false;
};

// How a table's blocks are cut.
struct PackedRule {
  std::size_t most_bytes = 0;  // of a block with more than one row; 0: the table is not packed
  // Rows come in ascending order, of the table or of a part of it: blocks are filled to the brim.
  bool ascending = false;
};

// The rows of a block, to be changed. Ascending, a key at most once.
// THREADS  Belongs to one, which may hand it on.
class PackedBlock {
 public:
  // Replaces what it held. False when the bytes make no sense: it holds nothing then.
  bool read(std::string_view first_key, std::string_view stored);
  void clear();

  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  // Views die with the next change.
  std::string_view key(std::size_t row) const;
  std::string_view value(std::size_t row) const;
  // The first row whose key is not less; size() when there is none.
  std::size_t lower_bound(std::string_view key) const;

  void put(std::string_view key, std::string_view value);
  bool remove(std::string_view key);  // false: it was not there
  std::size_t memory_bytes() const { return bytes_.size() + rows_.size() * sizeof(Row); }

  struct Part {
    std::size_t first = 0;  // row, whose key is the block's
    std::string stored;
  };
  // As one block, or as several when they do not fit into one.
  std::vector<Part> render(const PackedRule& rule) const;

 private:
  struct Row {
    std::uint32_t key_at = 0;
    std::uint32_t value_at = 0;
    std::uint32_t value_bytes = 0;
    std::uint16_t key_bytes = 0;
    // Where it lies in `stored_`, while neither it nor the row before has changed. 0: not there.
    std::uint16_t stored_bytes = 0;
    std::uint32_t stored_at = 0;
  };
  struct Cut {
    std::size_t most_bytes = 0;
    std::size_t at = 0;  // a block ends before this row, whatever its size; 0: no such row
  };
  std::vector<Part> render_cut(const Cut& cut) const;
  void append_row(std::size_t row, std::string& out) const;
  std::uint32_t keep(std::string_view bytes);
  void forget_stored(std::size_t row);

  std::string stored_;  // the block that was read: most of its rows are written again as they are
  std::string bytes_;  // keys and values, those that were replaced included
  std::vector<Row> rows_;
  std::size_t inserted_end_ = 0;  // behind the row that was inserted last
  mutable std::size_t near_ = 0;  // what lower_bound() found last: mostly it is asked for the same or the next
};

}  // namespace picket::buffer

// A block: up to some 4,096 facts of one dataset and project, column by column.
//
//   block   := 1 u8 | rows varint | columns varint | header × columns | stored bytes × columns
//   header  := type u8 | name text | present varint | distinct varint | summary | coding u8
//              | raw bytes varint | stored bytes varint
//   summary := integer, boolean: least zigzag varint, greatest zigzag varint
//              number: least f64, greatest f64 | text, array: least text, greatest text (first 32 bytes)
//              id: bloom filter text
//   column  := presence bitmap, when present < rows | values
//   values  := integer: zigzag varints of differences | boolean: bits
//              number: scale u8 (0: f64 each; else zigzag varints of value × 10^(scale-1))
//              bytes: form u8 | lengths of the distinct values, varints | their bytes
//                     | form 0: code varint each; form 1: in order, no codes
//   coding  := 0 as it is, 1 zstd
//
// Numbers are little-endian. "@sequence", "@item", "@index", "@time" (ns) are integer columns. Errors and
// transactions have the hash of each row's "user" as "@user", because users are counted often and their names are the
// longest to read: an array that all rows share, of five bytes a row. Older blocks have integers of that name, or
// none: then the names are read.
#pragma once

#include "api/facts/fact_rows.h"
#include "buffer/keys.h"
#include "buffer/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picket::facts {

constexpr std::size_t block_rows = 4096;  // at most
constexpr std::size_t block_columns = 512;

// LMDB keeps a value in neighbouring pages, and where others come and go free ones lie scattered: values of tens of pages find
// no place among them, and the file grows. A full block of errors, some 75 bytes each, would be one of 75.
constexpr std::size_t block_rows_of(Dataset dataset) {
  return dataset == Dataset::errors ? 1024 : block_rows;
}

// The name of the column whose value is known only when the block is written: its cells hold the
// index of the event, and `issues` says the value.
constexpr std::string_view issue_column = "issue.id";

constexpr std::string_view hashed_column = "user";
constexpr std::string_view hash_column = "@user";
// 40 bits, stable on disk: what stands for a text where distinct ones are counted.
constexpr std::int64_t distinct_hash(std::string_view text) {
  const auto hash = buffer::stable_hash(text);
  return static_cast<std::int64_t>((hash ^ hash >> 40) & ((std::uint64_t{1} << 40) - 1));
}

constexpr std::int64_t no_hash = -1;
// Hashes, or no_hash, by row as the bytes of an "@user" column; and back, nothing when they are not those of so many rows.
std::string pack_hashes(std::span<const std::int64_t> hashes);
std::vector<std::int64_t> unpack_hashes(std::string_view packed, std::size_t rows);

// What a cell of the row is once the issues of the events are known.
std::uint64_t settled_bits(const FactRows& rows,
                           const FactRows::Row& row,
                           const FactRows::Cell& cell,
                           std::span<const std::uint64_t> issues);

// REQUIRES: the chosen rows are of one dataset and project, at most block_rows.
std::string encode_block(const FactRows& rows,
                         std::span<const std::uint32_t> chosen,
                         std::span<const std::uint64_t> issues = {});

struct ColumnSummary {
  std::string_view name;
  ValueType type = ValueType::text;
  std::uint64_t present = 0;
  std::uint64_t distinct = 0;  // of bytes columns
  std::int64_t least = 0;      // integer, boolean
  std::int64_t greatest = 0;
  double least_number = 0;
  double greatest_number = 0;
  std::string_view least_text;  // the first 32 bytes
  std::string_view greatest_text;
  std::string_view bloom;  // of an id column
  std::uint8_t coding = 0;
  std::uint64_t raw_bytes = 0;
  std::string_view stored;
};

// The values of one column of a block. `at` is a row's place among the present values.
struct ColumnValues {
  ValueType type = ValueType::text;
  std::size_t rows = 0;
  std::vector<std::uint32_t> positions;  // by row: index of its value + 1, 0 none; empty: all present
  std::vector<std::int64_t> integers;    // integer, boolean
  std::vector<double> numbers;
  std::vector<std::uint32_t> codes;  // bytes columns: into `texts`
  std::vector<std::string_view> texts;  // each once; in the block's bytes or in `unpacked`
  std::unique_ptr<const std::string> unpacked;

  // The index of the row's value, or nothing.
  std::optional<std::size_t> at(std::size_t row) const {
    if (positions.empty()) return row;
    if (positions[row] == 0) return std::nullopt;
    return positions[row] - 1;
  }
  std::string_view text(std::size_t index) const { return texts[codes[index]]; }
};

// A block's header, over bytes that outlive it.
class BlockView {
 public:
  // Fault::corrupt for bytes that are no block; never reads outside of them.
  static Result<BlockView> parse(std::string_view bytes);

  std::size_t rows() const { return rows_; }
  const std::vector<ColumnSummary>& columns() const { return columns_; }
  const ColumnSummary* find(std::string_view name, ValueType type) const;
  Result<ColumnValues> read(const ColumnSummary& column) const;

  // Of "@time" and "@sequence".
  std::int64_t earliest_ns() const { return time_ ? time_->least : 0; }
  std::int64_t latest_ns() const { return time_ ? time_->greatest : 0; }
  std::uint64_t last_sequence() const;

 private:
  std::size_t rows_ = 0;
  std::vector<ColumnSummary> columns_;
  std::optional<ColumnSummary> time_;
};

// Appends the block's facts to `rows`.
Result<void> decode_block(const BlockView& block,
                          Dataset dataset,
                          std::uint64_t project,
                          FactRows& rows);

}  // namespace picket::facts

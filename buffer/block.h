// A block: what one commit puts into the journal. Many small records, or one part of a big one.
// Pure: bytes in, bytes out. All numbers are little-endian.
//
//   block    0 magic "PKB1"          4 format version u8   5 zero u8   6 head bytes u16 (64)
//            8 first sequence u64   16 part u32           20 parts u32 (1: not split)
//           24 records u32          28 bytes of the block u32
//           32 oldest received i64  40 newest received i64
//           48 zeros                60 CRC-32C u32 of bytes 0–59 and the table
//           64 table: per record { end of the record, from the end of the table u32; checksum u32 }
//              records, one after another
//   record   0 kind u8   1 coding u8   2 flags u8   3 key bytes u8   4 meta bytes u32
//            8 received i64   16 project u64   24 body bytes u32   28 key, meta, body
//
// A record's checksum is the CRC-32C of its sequence u64, its part u32 and its bytes, so that a good
// record in a wrong place fails too. A record that is too big for one block is cut into parts 0, 1, …
// of the same sequence, each the only entry of a block of its own.
#pragma once

#include "buffer/journal.h"

#include <compare>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace picket::buffer {

constexpr std::size_t block_head_bytes = 64;
constexpr std::size_t block_entry_bytes = 8;
constexpr std::size_t record_head_bytes = 28;
constexpr std::size_t max_block_records = 4096;

// Where a block stands in the journal. As bytes: first u64, part u32, big-endian.
struct BlockKey {
  Sequence first = 0;
  std::uint32_t part = 0;
  friend auto operator<=>(const BlockKey&, const BlockKey&) = default;  // NOLINT(modernize-use-nullptr): tidy 14 errs
};
std::string render_block_key(BlockKey key);
std::optional<BlockKey> parse_block_key(std::string_view bytes);

struct BlockHead {
  BlockKey key;
  std::uint32_t parts = 1;
  std::uint32_t count = 0;
  Time oldest{};
  Time newest{};
};

std::size_t record_bytes(const Record& record);
std::size_t block_bytes(std::span<const Record> records);

// REQUIRES: at most max_block_records records; `out` has room for block_bytes(records).
void pack_block(std::span<const Record> records, Sequence first, char* out);

// One part: the record's bytes from `offset`, `bytes` many.
// REQUIRES: `out` has room for block_head_bytes + block_entry_bytes + bytes.
struct RecordPart {
  BlockKey key;
  std::uint32_t parts = 1;
  std::size_t offset = 0;
  std::size_t bytes = 0;
};
void pack_part(const Record& record, const RecordPart& part, char* out);

// A view of a packed block whose head and table are right. Its records are not checked yet.
class Block {
 public:
  static Result<Block> parse(std::string_view bytes);

  const BlockHead& head() const { return head_; }
  std::size_t begin(std::size_t index) const { return index == 0 ? 0 : end(index - 1); }
  std::size_t end(std::size_t index) const;
  std::uint32_t checksum(std::size_t index) const;
  // The bytes of records `first` to `last`, `last` not included.
  std::string_view records(std::size_t first, std::size_t last) const;

 private:
  BlockHead head_;
  std::string_view table_;
  std::string_view records_;
};

// Is there a block's head at the beginning of these bytes? What follows its table is not looked at.
Result<BlockHead> parse_block_head(std::string_view bytes);
constexpr std::string_view block_magic = "PKB1";

bool checksum_holds(std::string_view record, BlockKey key, std::uint32_t checksum);

// A whole record out of its bytes, which the result points into.
Result<StoredRecord> parse_record(std::string_view bytes, Sequence sequence);

}  // namespace picket::buffer

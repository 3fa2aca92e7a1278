// A bundle: many blocks (block.h) deflated with a dictionary, in groups that are inflated one by one, so that a
// record costs its reader one group. What a sealed segment is rewritten into (segment_recompress.h). All numbers
// are little-endian.
//
//   bundle   0 magic "PKZ1"         4 format version u8   5 zero u8   6 head bytes u16 (64)
//            8 first sequence u64   16 groups u32         20 records u32
//           24 bytes of the bundle u32                    28 id of the dictionary u32, 0: none
//           32 oldest received i64  40 newest received i64
//           48 zeros                60 CRC-32C u32 of bytes 0–59 and the table
//           64 table: per group { its first record, counted from the bundle's u32; end of its frame, from the
//              end of the table u32; bytes of its block u32; zero u32 }
//              frames, one after another: each a zstd frame of one block, which carries the checksums
//
// What belongs to all bundles of a segment lies beside them:
//   dictionary  0 magic "PKD1"   4 bytes u32   8 its id u32, which is its CRC-32C   12 CRC-32C of bytes 0–11
//               16 the dictionary
//   summary     0 magic "PKS1"   4 CRC-32C of what follows u32   8 records u64   16 bytes that the segment took
//               before u64   24 when it was rewritten i64 (ms)
#pragma once

#include "buffer/block.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picket::buffer {

constexpr std::string_view bundle_magic = "PKZ1";
constexpr std::string_view dictionary_magic = "PKD1";
constexpr std::size_t bundle_head_bytes = 64;
constexpr std::size_t bundle_entry_bytes = 16;
constexpr std::size_t dictionary_head_bytes = 16;
constexpr std::size_t most_bundle_groups = 1024;
// Of the block that one group inflates to.
constexpr std::size_t most_group_bytes = std::size_t{8} << 20;

// Keys beside the blocks', in front of all of them. The dictionary is there twice, far apart.
constexpr std::string_view dictionary_key{"\0", 1};
constexpr std::string_view dictionary_copy_key{"\0\0", 2};
constexpr std::string_view summary_key{"\0\0\0", 3};

// Told by the first bytes alone.
inline bool is_bundle(std::string_view bytes) {
  return bytes.starts_with(bundle_magic);
}

struct BundleHead {
  BlockHead head;  // as of one block with all the records
  std::uint32_t groups = 0;
  std::uint32_t bytes = 0;
  std::uint32_t dictionary = 0;
};
// Is there a bundle's head at the beginning of these bytes? What follows its table is not looked at.
Result<BundleHead> parse_bundle_head(std::string_view bytes);

// A view of a bundle whose head and table are right.
class Bundle {
 public:
  static Result<Bundle> parse(std::string_view bytes);

  struct Group {
    Sequence first = 0;
    std::size_t block_bytes = 0;
    std::string_view frame;
  };
  const BundleHead& head() const { return head_; }
  std::size_t groups() const { return head_.groups; }
  Group group(std::size_t index) const;
  // The last group that begins at or before `sequence`; the first when none does.
  std::size_t group_at(Sequence sequence) const;

 private:
  BundleHead head_;
  std::string_view table_;
  std::string_view frames_;
};

// Puts groups together to one bundle.
class BundleBuilder {
 public:
  bool empty() const { return groups_.empty(); }
  std::size_t frame_bytes() const { return frames_.size(); }
  // Can a group of so many records, the first of which is `first`, be added?
  bool takes(Sequence first, std::uint32_t records) const;
  // REQUIRES: takes(); the frame is that of a block with this head, of `block_bytes`.
  void add(const BlockHead& head, std::size_t block_bytes, std::string_view frame);
  Sequence first() const { return head_.key.first; }
  // The bytes of the bundle; empty from then on.
  std::string render(std::uint32_t dictionary);

 private:
  struct Entry {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint32_t block_bytes = 0;
  };
  BlockHead head_;
  std::vector<Entry> groups_;
  std::string frames_;
};

// Head of a block or of a bundle, whichever it is.
Result<BlockHead> parse_any_head(std::string_view bytes);

std::string render_dictionary(std::string_view dictionary);
// The dictionary's bytes, which lie in `entry`; nothing when they are damaged.
std::optional<std::string_view> parse_dictionary(std::string_view entry);

struct SegmentSummary {
  std::uint64_t records = 0;
  std::uint64_t bytes_before = 0;
  Time rewritten{};
};
std::string render_summary(const SegmentSummary& summary);
std::optional<SegmentSummary> parse_summary(std::string_view entry);

}  // namespace picket::buffer

// Looks at an LMDB file before LMDB does. LMDB trusts its pages: a file that was cut short or has rotten
// pages ends the process (SIGBUS, assertions) instead of giving an error. So a file that this process
// has not written itself is walked first, page by page, with plain reads.
//
//   page   0 own number u64   8 pad u16   10 flags u16   12 lower u16   14 upper u16   16 node offsets u16 …
//   meta   page 0 and 1, in turns: 16 magic u32   20 version u32   24 address u64   32 map size u64
//          40 tree of free pages   88 main tree   136 last page u64   144 transaction u64
//   tree   0 page bytes u32 (free tree only)   4 flags u16   6 depth u16   8 page counts 3 × u64
//          32 entries u64   40 root u64 (all ones: empty)
//   node   0 low u16   2 high u16   4 flags u16   6 key bytes u16   8 key, value
//          branch: child = low | high << 16 | flags << 32; leaf: value bytes = low | high << 16
#pragma once

#include "buffer/result.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace picket::buffer {

struct FileUse {
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;  // up to the last page that is in use
  std::uint64_t entries = 0;     // of the main tree
};

// Reads the meta pages only. Fault::corrupt when the newest state they describe cannot be all there.
Result<FileUse> inspect_file(const std::filesystem::path& path);

// Walks every tree of the newest state, named tables included: each page is what it should be and in use once, keys ascend
// and lie where a look-up goes, and there are as many as the tree says. So pages that a disk lost, and that are still as an
// earlier commit left them, are found as well.
Result<FileUse> check_file(const std::filesystem::path& path);

// Makes the file go back to the state before the newest when only that one is whole (one of the two
// meta pages is broken, or the file was cut short within its last commit).
Result<FileUse> repair_file(const std::filesystem::path& path);

// One meta page of the newest state, as it lies in the file.
struct NewestMeta {
  std::uint64_t transaction = 0;
  std::string bytes;
};
Result<NewestMeta> read_newest_meta(const std::filesystem::path& path);

// Makes the file go back to the state before the newest when that is still `meta`: what a commit left
// that has failed. REQUIRES: nobody has the file open.
Result<void> take_back(const std::filesystem::path& path, const NewestMeta& meta);

}  // namespace picket::buffer

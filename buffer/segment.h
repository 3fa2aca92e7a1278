// One segment of the journal: one LMDB file whose main table holds the blocks, keyed by BlockKey. One that was
// rewritten in idle time holds bundles of blocks instead, and the dictionary they need (bundle.h): its readers are
// given the same blocks.
//
//   created ──► open for writing (the newest only) ──► sealed: opened on demand, read-only,
//                                                      without a lock file ──► closed for good
//
// THREADS  visit(), last(), use() from any thread; fits() to seal() from the committer only;
//          close() from any thread: waits for the readers that are inside.
#pragma once

#include "buffer/block.h"
#include "buffer/bundle.h"
#include "buffer/dictionary.h"
#include "buffer/env.h"
#include "buffer/file_check.h"
#include "buffer/result.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace picket::buffer {

class Segment {
 public:
  enum class Mode {
    writing,   // the newest segment of the process that owns the journal
    sealed,    // nobody writes it any more
    watching,  // another process may be writing it
  };

  Segment(std::filesystem::path path, BlockKey name, Mode mode)
      : path_(std::move(path)), name_(name), mode_(mode) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  const std::filesystem::path& path() const { return path_; }
  BlockKey name() const { return name_; }

  // Opens the file when it is not open. Fault::corrupt: the file is damaged beyond use, or a dictionary that it
  // needs is, or it holds records from before its name; Fault::not_found: it is gone.
  Result<void> open();

  // Calls `visitor` with the block at `from` or the nearest before it (if there is none, the nearest
  // behind it) and with those that follow, until it returns false. The bytes are views that die
  // when it returns. Opens the file if needed; fails as open().
  using Visitor = std::function<bool(BlockKey, std::string_view)>;
  Result<void> visit(BlockKey from, const Visitor& visitor);
  // The last block.
  struct Last {
    BlockKey key;
    Result<BlockHead> head;
  };
  Result<std::optional<Last>> last();
  // Times and sizes; `last` stays 0.
  Result<SegmentUse> use();
  // What is known of its rewriting; nothing when it holds blocks as they were committed.
  Result<std::optional<SegmentSummary>> summary();
  // A copy of its dictionary; empty without one.
  Result<std::string> dictionary();

  // Is there surely room for one more block of that size?
  bool fits(std::size_t block_bytes) const;
  std::uint64_t room_bytes() const;
  // One commit. The file grows when it is longer than fits() says. REQUIRES: `key` is greater than every key in the segment.
  Result<void> append(BlockKey key, std::size_t bytes, const std::function<void(char*)>& fill);
  // Removes the blocks from `key` on. The file grows when it has no page to spare.
  Result<void> remove_from(BlockKey key);
  // Makes it the newest, written to from now on; what is in it then is on the disk. Also after a failed
  // commit: takes back what that left in the file, forgets what LMDB has in memory and reads it again.
  Result<void> open_for_writing();
  // From now on opened read-only, on demand.
  void seal();

  // From now on what is at path() is another file, which this process has written and synced.
  void replaced();
  // Changes with that and with open_for_writing(). Whoever works on a copy of the file for long looks whether it is
  // still one.
  std::uint64_t generation() const { return generation_; }

  // Closes the file; a later visit() opens it again, unless `for_good`: then it says not_found.
  void close(bool for_good);
  // As close(false), but only when that needs no waiting. False when readers are inside.
  bool try_close();
  bool is_open() const { return open_; }
  // As of the last time the file was looked at or written.
  std::uint64_t used_bytes() const { return used_bytes_; }
  // What its file takes, which is less than the others' when it was written anew. Asks once for each file.
  std::uint64_t file_bytes() const;
  void set_use(const FileUse& use) {
    used_bytes_ = use.used_bytes;
    file_bytes_ = use.file_bytes;
  }
  std::uint64_t last_used() const { return last_used_; }

 private:
  Result<void> open_file();  // REQUIRES: mutex_ is held exclusively
  Result<void> settle_file();  // REQUIRES: as above
  void forget_file();          // REQUIRES: as above
  Result<void> check_first_block() const;  // REQUIRES: as above
  Result<void> find_dictionary();  // REQUIRES: as above
  Result<bool> visit_bundle(BlockKey key, std::string_view bytes, Sequence from, const Visitor& visitor) const;
  void note_failed_commit(std::uint64_t transaction);
  void note_size(bool committed);
  Error unless_recycled(Error why) const;
  template <class Value, class Work>
  Result<Value> with_env(const Work& work);

  const std::filesystem::path path_;
  const BlockKey name_;
  std::atomic<bool> open_{false};
  std::atomic<std::uint64_t> last_used_{0};
  std::atomic<std::uint64_t> used_bytes_{0};
  mutable std::atomic<std::uint64_t> file_bytes_{0};  // 0: not known
  std::atomic<std::uint64_t> generation_{0};

  mutable std::shared_mutex mutex_;
  std::optional<Env> env_;   // this and the rest guarded by mutex_
  TableHandle blocks_ = 0;
  Mode mode_;
  bool checked_ = false;     // pages were walked once, and only this process has written since
  bool gone_ = false;
  std::string dictionary_;
  std::optional<InflateDictionary> inflate_;
  std::optional<SegmentSummary> summary_;
  std::optional<NewestMeta> to_take_back_;  // the committer's alone
};

}  // namespace picket::buffer

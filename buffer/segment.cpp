#include "buffer/segment.h"

#include "buffer/descriptor.h"
#include "buffer/file_check.h"
#include "buffer/logger.h"

#include <fcntl.h>

#include <mutex>
#include <vector>

namespace picket::buffer {
namespace {

// Pages that a commit may need beside those of the block: tree pages, the list of free pages.
constexpr std::uint64_t spare_pages = 16;
constexpr std::uint64_t overflow_head_bytes = 16;

std::atomic<std::uint64_t> use_counter{0};

std::filesystem::path lock_of(std::filesystem::path path) {
  return path += "-lock";
}

}  // namespace

// Runs `work` while the file is open and stays so.
template <class Value, class Work>
Result<Value> Segment::with_env(const Work& work) {
  last_used_ = ++use_counter;
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      if (gone_) return Error{Fault::not_found, path_.filename().string() + " is recycled"};
      if (env_) return work(*env_);
    }
    if (auto opened = open(); !opened) return opened.error();
  }
}

Result<void> Segment::open() {
  const std::unique_lock lock(mutex_);
  if (gone_) return Error{Fault::not_found, path_.filename().string() + " is recycled"};
  return env_ ? Result<void>() : open_file();
}

Result<void> Segment::open_file() {
  const bool writing = mode_ == Mode::writing;
  // A lock file beside it means that a process may be writing it now, under the walk's feet.
  const bool shared = mode_ == Mode::watching && std::filesystem::exists(lock_of(path_));
  auto checked = checked_ || shared ? inspect_file(path_) : check_file(path_);
  if (!checked && checked.error().fault == Fault::corrupt && mode_ != Mode::watching) {
    log(Level::error, "buffer", "segment is damaged, trying its state before the last commit",
        {{"reason", checked.error().detail}});
    checked = repair_file(path_);
  }
  if (!checked) return unless_recycled(checked.error());
  auto env = Env::open({.path = path_,
                        .map_bytes = checked->file_bytes,
                        .read_only = !writing,
                        .no_lock = !writing && !shared});
  if (!env) return unless_recycled(env.error());
  const auto table = env->open_table("");
  if (!table) return table.error();
  blocks_ = *table;
  env_ = *std::move(env);
  file_bytes_ = checked->file_bytes;
  used_bytes_ = checked->used_bytes;
  checked_ = true;
  open_ = true;
  return {};
}

// The process that writes may take a file away before this one has opened it.
Error Segment::unless_recycled(Error why) const {
  std::error_code ignored;
  if (mode_ != Mode::watching || std::filesystem::exists(path_, ignored)) return why;
  return Error{Fault::not_found, path_.filename().string() + " is recycled"};
}

Result<void> Segment::visit(BlockKey from, const Visitor& visitor) {
  return with_env<void>([&](const Env& env) -> Result<void> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    auto cursor = txn->cursor(blocks_);
    const BlockKey behind{from.first, from.part + 1};
    bool there = cursor.seek_before(render_block_key(behind)) || cursor.first();
    for (; there; there = cursor.next()) {
      const auto key = parse_block_key(cursor.key());
      if (key && !visitor(*key, cursor.value())) break;
    }
    return {};
  });
}

Result<std::optional<Segment::Last>> Segment::last() {
  using Found = std::optional<Last>;
  return with_env<Found>([&](const Env& env) -> Result<Found> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    auto cursor = txn->cursor(blocks_);
    if (!cursor.last()) return Found();
    const auto key = parse_block_key(cursor.key());
    if (!key) return Error{Fault::corrupt, path_.filename().string() + ": a key of wrong length"};
    const auto block = Block::parse(cursor.value());
    const bool right = block && block->head().key == *key;
    return Found(Last{*key, right ? Result<BlockHead>(block->head())
                                  : Error{Fault::corrupt, "the last block is damaged"}});
  });
}

Result<SegmentUse> Segment::use() {
  return with_env<SegmentUse>([&](const Env& env) -> Result<SegmentUse> {
    const auto txn = ReadTxn::begin(env);
    if (!txn) return txn.error();
    const auto pages = env.use();
    SegmentUse use{.path = path_,
                   .first = name_.first,
                   .file_bytes = file_bytes_,
                   .used_bytes = pages.used_pages * pages.page_bytes};
    auto cursor = txn->cursor(blocks_);
    if (cursor.first()) {
      if (const auto block = Block::parse(cursor.value())) use.oldest = block->head().oldest;
    }
    if (cursor.last()) {
      if (const auto block = Block::parse(cursor.value())) use.newest = block->head().newest;
    }
    return use;
  });
}

std::uint64_t Segment::room_bytes() const {
  const std::shared_lock lock(mutex_);
  if (!env_) return 0;
  const auto use = env_->use();
  const auto needed = (use.used_pages + spare_pages) * use.page_bytes + overflow_head_bytes;
  return needed < file_bytes_ ? file_bytes_ - needed : 0;
}

bool Segment::fits(std::size_t block_bytes) const {
  return block_bytes <= room_bytes();
}

Result<void> Segment::append(BlockKey key,
                             std::size_t bytes,
                             const std::function<void(char*)>& fill) {
  const std::shared_lock lock(mutex_);
  if (!env_) return Error{Fault::unavailable, path_.filename().string() + " is not open"};
  auto txn = WriteTxn::begin(*env_);
  if (!txn) return txn.error();
  const auto room = txn->append_reserved(blocks_, render_block_key(key), bytes);
  if (!room) return room.error();
  fill(*room);
  const auto number = txn->number();
  auto committed = (*std::move(txn)).commit();
  if (!committed) note_failed_commit(number);
  const auto use = env_->use();
  used_bytes_ = use.used_pages * use.page_bytes;
  return committed;
}

Result<void> Segment::remove_from(BlockKey key) {
  const std::shared_lock lock(mutex_);
  if (!env_) return Error{Fault::unavailable, path_.filename().string() + " is not open"};
  auto txn = WriteTxn::begin(*env_);
  if (!txn) return txn.error();
  std::vector<std::string> keys;
  {
    auto cursor = txn->cursor(blocks_);
    for (bool there = cursor.seek(render_block_key(key)); there; there = cursor.next()) {
      keys.emplace_back(cursor.key());
    }
  }
  if (keys.empty()) return {};
  for (const auto& each : keys) {
    if (auto removed = txn->remove(blocks_, each); !removed) return removed.error();
  }
  const auto number = txn->number();
  auto committed = (*std::move(txn)).commit();
  if (!committed) note_failed_commit(number);
  return committed;
}

Result<void> Segment::open_for_writing() {
  const std::unique_lock lock(mutex_);
  env_.reset();
  open_ = false;
  checked_ = false;
  mode_ = Mode::writing;
  if (auto settled = settle_file(); !settled) return settled;
  return open_file();
}

// What was never acknowledged may be in memory only; what is read must not be gone after a power cut.
Result<void> Segment::settle_file() {
  if (to_take_back_) {
    if (auto taken = take_back(path_, *to_take_back_); !taken) return taken;
    to_take_back_.reset();
  }
  const auto file = Descriptor::open(path_, O_RDWR);
  if (!file) return file.error();
  return file->sync();
}

void Segment::note_failed_commit(std::uint64_t transaction) {
  to_take_back_.reset();
  if (!env_->broken()) return;
  auto newest = read_newest_meta(path_);
  if (newest && newest->transaction == transaction) to_take_back_ = *std::move(newest);
}

void Segment::seal() {
  const std::unique_lock lock(mutex_);
  env_.reset();
  open_ = false;
  mode_ = Mode::sealed;
  std::error_code ignored;
  std::filesystem::remove(lock_of(path_), ignored);
}

void Segment::replaced() {
  const std::unique_lock lock(mutex_);
  env_.reset();
  open_ = false;
  checked_ = true;
  disk_bytes_ = 0;
}

std::uint64_t Segment::disk_bytes() const {
  if (disk_bytes_ == 0) {
    std::error_code gone;
    const auto bytes = std::filesystem::file_size(path_, gone);
    if (!gone) disk_bytes_ = bytes;
  }
  return disk_bytes_;
}

void Segment::close(bool for_good) {
  const std::unique_lock lock(mutex_);
  env_.reset();
  open_ = false;
  gone_ = gone_ || for_good;
}

bool Segment::try_close() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return false;
  env_.reset();
  open_ = false;
  return true;
}

}  // namespace picket::buffer
